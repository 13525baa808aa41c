package hugepages_test

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/btfgen/btfgen/btfdump/hugepages"
)

func Example() {
	offsets := hugepages.Make[uint32](1_000_000)
	offsets[999_999] = 1
	fmt.Println(len(offsets), offsets[0], offsets[999_999])
	// Output: 1000000 0 1
}

func TestMake(t *testing.T) {
	type pair struct {
		name string
		n    uint8
	}
	for _, n := range []int{0, 1, 1000, 1 << 16, 1<<20 + 1} {
		bytes, pairs := hugepages.Make[byte](n), hugepages.Make[pair](n)
		if len(bytes) != n || len(pairs) != n {
			t.Errorf("asked for %d values, and got %d and %d", n, len(bytes), len(pairs))
		}
		for i := range n {
			if bytes[i] != 0 || pairs[i] != (pair{}) {
				t.Fatalf("value %d of %d is not zero", i, n)
			}
			bytes[i], pairs[i] = 1, pair{"name", 2} // or a signal ends this
		}
	}
}

// Tables come and go, so memory is used again that had huge pages before.
func TestMemoryIsUsedAgain(t *testing.T) {
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				table := hugepages.Make[uint64](1 << 18)
				for i, v := range table {
					if v != 0 {
						t.Errorf("value %d is %d", i, v)
						return
					}
					table[i] = ^uint64(0)
				}
			}
		})
	}
	group.Wait()
}

// The memory that is asked for is what Linux says is to have huge pages.
func TestAdviceIsTaken(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("the running kernel has no transparent huge pages:", err)
	}
	table := hugepages.Make[byte](16 << 20)
	start := uintptr(unsafe.Pointer(&table[0]))
	for _, at := range []uintptr{start, start + uintptr(len(table))/2, start + uintptr(len(table)) - 1} {
		if flags := mappingFlags(t, at); !strings.Contains(flags+" ", " hg ") {
			t.Errorf("the mapping of byte %d has the flags %q, without hg", at-start, flags)
		}
	}
	runtime.KeepAlive(table)
}

// mappingFlags returns the flags of the mapping that an address is in
// (VmFlags in Documentation/filesystems/proc.rst).
func mappingFlags(t *testing.T, address uintptr) string {
	t.Helper()
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	inside := false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var from, to uintptr
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &from, &to); n == 2 {
			inside = from <= address && address < to
		}
		if flags, ok := strings.CutPrefix(lines.Text(), "VmFlags:"); ok && inside {
			return flags
		}
	}
	t.Fatalf("no mapping has the address %#x", address)
	return ""
}
