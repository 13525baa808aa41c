package gogen_test

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/cgen/gogen"
	"github.com/btfgen/btfgen/cgen/gogen/internal/big"
	"github.com/btfgen/btfgen/cgen/gogen/internal/little"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

//go:generate go test -run TestGeneratedRecordsAreFresh -update

var update = flag.Bool("update", false, "write the packages in internal again")

// recordsView returns the types of records.c as a BPF compiler lays them out.
func recordsView(t testing.TB, target string) *btfdump.View {
	t.Helper()
	source, err := os.ReadFile("testdata/records.c")
	if err != nil {
		t.Fatal(err)
	}
	return view(t, clangtest.Newest(t).BTF(t, string(source), target, "-O2", "-Wall", "-Werror"))
}

func generateRecords(t testing.TB, target, pkg string) []byte {
	t.Helper()
	return generate(t, recordsView(t, target), nil, gogen.Options{Package: pkg, NoProvenance: true})
}

// The packages little and big in internal are what btfgen makes of records.c.
// Being in the repository, they are read in diffs, vetted, and compiled into
// the tests below.
func TestGeneratedRecordsAreFresh(t *testing.T) {
	for pkg, target := range map[string]string{"little": "bpfel", "big": "bpfeb"} {
		path := "internal/" + pkg + "/types.go"
		want := generateRecords(t, target, pkg)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what btfgen writes; go generate ./cgen/gogen makes it anew: %s", path, firstDifference(got, want))
		}
	}
}

// A record is what the generated types have in common.
type record interface {
	encoding.BinaryUnmarshaler
	encoding.BinaryMarshaler
	encoding.BinaryAppender
}

// recordTypes are the two generated types for each variable of values.c.
var recordTypes = map[string]struct {
	little, big func() record
	size        int
}{
	"event":         {func() record { return new(little.Event) }, func() record { return new(big.Event) }, 72},
	"outer_first":   {newLittleOuter, newBigOuter, 40},
	"outer_inner":   {newLittleOuter, newBigOuter, 40},
	"outer_pointer": {newLittleOuter, newBigOuter, 40},
	"outer_bits":    {newLittleOuter, newBigOuter, 40},
	"outer_number":  {newLittleOuter, newBigOuter, 40},
	"outer_level":   {newLittleOuter, newBigOuter, 40},
	"outer_words":   {newLittleOuter, newBigOuter, 40},
	"outer_text":    {newLittleOuter, newBigOuter, 40},
	"outer_uid":     {newLittleOuter, newBigOuter, 40},
	"packed":        {func() record { return new(little.Packed) }, func() record { return new(big.Packed) }, 55},
	"numbers":       {func() record { return new(little.Numbers) }, func() record { return new(big.Numbers) }, 112},
	"only":          {func() record { return new(little.Only) }, func() record { return new(big.Only) }, 8},
	"over_aligned":  {func() record { return new(little.OverAligned) }, func() record { return new(big.OverAligned) }, 32},
	"list":          {func() record { return new(little.List) }, func() record { return new(big.List) }, 4},
}

func newLittleOuter() record { return new(little.Outer) }
func newBigOuter() record    { return new(big.Outer) }

// recordValues are the values in values.c, as Go prints them: by variable and
// a path of fields and methods.
var recordValues = []struct{ variable, path, want string }{
	{"event", "TimestampNs", "1234605616436508552"},
	{"event", "PID", "4711"},
	{"event", "SourcePort", "443"},
	{"event", "IsIPv6.IsTrue", "true"},
	{"event", "Tiny", "TINY_B"},
	{"event", "CommString", "bash"},
	{"event", "Saddr.V6", "[1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16]"},
	{"event", "VerdictKnown", "1"},
	{"event", "Retries", "5"},
	{"event", "Verdict", "VERDICT_TCP_RESET"},
	{"event", "Delta", "-3"},
	{"event", "Sock", "0x8000000012345678"},
	{"event", "Len", "4"},

	{"outer_first", "Tag", "9"},
	{"outer_first", "First", "3735928559"},
	{"outer_first", "Second", "-2"},
	{"outer_first", "Third", "true"},
	{"outer_first", "Point.0.X", "1"},
	{"outer_first", "Point.1.Y", "4"},
	{"outer_first", "Named.0.Pair.A", "5"},
	{"outer_first", "Named.0.Pair.B", "6"},
	{"outer_first", "Named.1.Whole", "-7"},
	{"outer_inner", "Inner.A", "4660"},
	{"outer_inner", "Inner.B", "1450744508"},
	{"outer_pointer", "Pointer", "0xffff888012345678"},
	{"outer_bits", "Flag", "1"},
	{"outer_bits", "Middle", "81985529216486895"},
	{"outer_bits", "Last", "2"},
	{"outer_number", "Number", "-0.75"},
	{"outer_level", "Level", "LEVEL_LOW"},
	{"outer_words", "Words", "[16909060 84281096]"},
	{"outer_text", "TextString", "text"},
	{"outer_uid", "UID.Val", "1000"},

	{"packed", "Tag", "1"},
	{"packed", "Eight", "72623859790382856"},
	{"packed", "Two", "2571"},
	{"packed", "Call", "0xffffffff81000000"},
	{"packed", "Real", "1.5"},
	{"packed", "Inner.1.A", "3"},
	{"packed", "Inner.1.B", "4"},
	{"packed", "Bits", "2059198193"},
	{"packed", "Crossing", "654820258320"},
	{"packed", "Negative", "-123456789012"},
	{"packed", "Truth", "true"},

	{"numbers", "Sc", "-1"},
	{"numbers", "Uc", "255"},
	{"numbers", "S16", "-300"},
	{"numbers", "S32", "-70000"},
	{"numbers", "S64", "-5000000000"},
	{"numbers", "F", "0.5"},
	{"numbers", "D", "-1e+100"},
	{"numbers", "Big.High", "-1"},
	{"numbers", "Big.Low", "18446744073709551614"},
	{"numbers", "Ubig.High", "1"},
	{"numbers", "Ubig.Low", "3"},
	{"numbers", "Level", "LEVEL_LOW"},
	{"numbers", "Wide", "WIDE_B"},
	{"numbers", "Matrix", "[[1 2 3] [4 5 6]]"},
	{"numbers", "LinesString:0", "ab"},
	{"numbers", "LinesString:1", "wxyz"},
	{"numbers", "UID.Val", "42"},

	{"only", "Word", "3405705229"},
	{"over_aligned", "Tag", "3"},
	{"over_aligned", "Value", "16909060"},
	{"list", "Count", "2"},
}

// recordBytes compiles values.c for a machine, with the header that btfgen
// makes, and returns the bytes of its variables.
func recordBytes(t testing.TB, bpf, machine string) map[string][]byte {
	t.Helper()
	plan, err := cgen.NewPlan(recordsView(t, bpf), nil, cgen.Options{NoProvenance: true})
	if err != nil {
		t.Fatal(err)
	}
	header, err := plan.Print()
	if err != nil {
		t.Fatal(err)
	}
	values, err := os.ReadFile("testdata/values.c")
	if err != nil {
		t.Fatal(err)
	}
	object, output, err := clangtest.Newest(t).Compile(t, map[string]string{"vmlinux.h": string(header), "main.c": string(values)},
		"-target", machine, "-ffreestanding", "-Wall", "-Wno-unknown-attributes", "-DBPF_NO_PRESERVE_ACCESS_INDEX")
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return variables(t, object)
}

// Go reads from records that C has filled, for machines of both byte orders,
// what C has put there, and writes the same bytes back: through UnmarshalBinary
// and AppendBinary, and member by member through fields and setters. One of the
// two byte orders is not that of the machine which runs this test.
func TestRecordsOfC(t *testing.T) {
	for _, c := range []struct{ bpf, machine string }{
		{"bpfel", "x86_64-linux-gnu"}, {"bpfel", "aarch64-linux-gnu"}, {"bpfel", "riscv64-linux-gnu"},
		{"bpfeb", "s390x-linux-gnu"}, {"bpfeb", "powerpc64-linux-gnu"}, {"bpfeb", "mips64-linux-gnu"},
	} {
		t.Run(c.machine, func(t *testing.T) {
			data := recordBytes(t, c.bpf, c.machine)
			decoded := make(map[string]record)
			for name, typ := range recordTypes {
				x, y := typ.little(), typ.little()
				if c.bpf == "bpfeb" {
					x, y = typ.big(), typ.big()
				}
				decoded[name] = x
				if err := x.UnmarshalBinary(data[name][:typ.size-1]); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%s: a record that is cut short gives the error %v", name, err)
				}
				if err := x.UnmarshalBinary(data[name]); err != nil {
					t.Fatal(err)
				}
				want := data[name][:typ.size]
				if got, err := x.MarshalBinary(); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: got back\n%x, want\n%x (%v)", name, got, want, err)
				}
				got, err := x.AppendBinary([]byte("before"))
				if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
					t.Errorf("%s: AppendBinary gives %x (%v)", name, got, err)
				}
				if name == "outer_inner" || name == "outer_pointer" || name == "outer_bits" || name == "outer_number" || name == "outer_level" ||
					name == "outer_words" || name == "outer_text" || name == "outer_uid" {
					continue // their bytes are no values of the other members of the union
				}
				copyMembers(y, x)
				if got, err := y.MarshalBinary(); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: member by member, got\n%x, want\n%x (%v)", name, got, want, err)
				}
			}
			for _, v := range recordValues {
				if got := lookup(t, decoded[v.variable], v.path); got != v.want {
					t.Errorf("%s.%s is %s, want %s", v.variable, v.path, got, v.want)
				}
			}
			flexibleArrays(t, data, c.bpf == "bpfeb")
		})
	}
}

// lookup follows a path of fields, methods without arguments (or with one,
// behind a colon), and indexes, and returns what it finds as Go prints it.
func lookup(t *testing.T, x any, path string) string {
	t.Helper()
	v := reflect.ValueOf(x)
	for _, step := range strings.Split(path, ".") {
		step, arg, _ := strings.Cut(step, ":")
		if v.Kind() != reflect.Pointer {
			p := reflect.New(v.Type()) // methods of a pointer
			p.Elem().Set(v)
			v = p
		}
		if m := v.MethodByName(step); m.IsValid() {
			var in []reflect.Value
			if arg != "" {
				n, _ := strconv.Atoi(arg)
				in = append(in, reflect.ValueOf(n))
			}
			v = m.Call(in)[0]
			continue
		}
		if i, err := strconv.Atoi(step); err == nil {
			v = v.Elem().Index(i)
		} else if v = v.Elem().FieldByName(step); !v.IsValid() {
			t.Fatalf("%T has no %s", x, step)
		}
	}
	return fmt.Sprint(v.Interface())
}

// copyMembers copies all exported fields, and with the setters all else.
func copyMembers(to, from any) {
	x, y := reflect.ValueOf(from), reflect.ValueOf(to)
	for i := range y.Elem().NumField() {
		if y.Elem().Type().Field(i).IsExported() {
			y.Elem().Field(i).Set(x.Elem().Field(i))
		}
	}
	for i := range y.NumMethod() {
		name, ok := strings.CutPrefix(y.Type().Method(i).Name, "Set")
		if !ok {
			continue
		}
		if getter := x.MethodByName(name); getter.IsValid() {
			y.Method(i).Call(getter.Call(nil))
		}
	}
}

func flexibleArrays(t *testing.T, data map[string][]byte, isBig bool) {
	var payload []byte
	var err error
	var b uint32
	if isBig {
		payload, err = new(big.Event).Payload(data["event"], 8)
		items, err := new(big.List).Items(data["list"], 2)
		if err != nil {
			t.Fatal(err)
		}
		b = items[1].B
		_, err = new(big.List).Items(data["list"], 3)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("three of two elements give the error %v", err)
		}
	} else {
		payload, err = new(little.Event).Payload(data["event"], 8)
		items, err := new(little.List).Items(data["list"], 2)
		if err != nil {
			t.Fatal(err)
		}
		b = items[1].B
		for _, n := range []int{3, -1, math.MaxInt} {
			if _, err := new(little.List).Items(data["list"], n); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d of two elements give the error %v", n, err)
			}
			if _, err := new(little.Event).Payload(data["event"], n+100); n != math.MaxInt && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes of payload give the error %v", n+100, err)
			}
		}
	}
	if err != nil || string(payload) != "\x00\x00\x00\x00data" {
		t.Errorf("payload is %q (%v)", payload, err)
	}
	if b != 4 {
		t.Errorf("items[1].b is %d, want 4", b)
	}
}

// View gives the record in place, on machines with its byte order and where it
// is aligned, and an error elsewhere.
func TestView(t *testing.T) {
	machineIsLittle := binary.NativeEndian.Uint16([]byte{1, 0}) == 1
	aligned := make([]uint64, 12)
	b := unsafe.Slice((*byte)(unsafe.Pointer(&aligned[0])), 96)
	b[8], b[11] = 7, 7
	l, lErr := little.View[little.Event](b)
	g, gErr := big.View[big.Event](b)
	switch {
	case machineIsLittle && (lErr != nil || !errors.Is(gErr, errors.ErrUnsupported)):
		t.Errorf("on a little-endian machine: %v, %v", lErr, gErr)
	case !machineIsLittle && (gErr != nil || !errors.Is(lErr, errors.ErrUnsupported)):
		t.Errorf("on a big-endian machine: %v, %v", lErr, gErr)
	}
	if machineIsLittle {
		if l.PID != 7+7<<24 {
			t.Errorf("pid is %#x", l.PID)
		}
		l.PID = 1
		if b[8] != 1 || b[11] != 0 {
			t.Error("the view does not share memory")
		}
		if _, err := little.View[little.Event](b[1:]); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("an address that is not aligned gives the error %v", err)
		}
	} else if g.PID != 7<<24+7 {
		t.Errorf("pid is %#x", g.PID)
	}
	if _, err := little.View[little.Event](b[:71]); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a record that is cut short gives the error %v", err)
	}
	if _, err := little.View[little.Packed](b[1:56]); machineIsLittle && err != nil {
		t.Errorf("packed records may be anywhere: %v", err)
	}
}

func TestEnumString(t *testing.T) {
	for v, want := range map[fmt.Stringer]string{
		little.VerdictDeny: "VERDICT_DROP", little.Verdict(99): "99",
		little.SignedLevel(-2): "LEVEL_LOW", little.SignedLevel(-5): "-5", little.WideB: "WIDE_B", little.Ptr(0xff): "0xff",
	} {
		if got := v.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDecodingDoesNotAllocate(t *testing.T) {
	b := make([]byte, 72)
	var sum uint64
	if n := testing.AllocsPerRun(100, func() {
		var l little.Event
		var g big.Event
		if l.UnmarshalBinary(b) != nil || g.UnmarshalBinary(b) != nil {
			t.Error("a record can't be decoded")
		}
		sum += l.TimestampNs + uint64(g.Retries())
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
