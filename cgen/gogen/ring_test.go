package gogen_test

import (
	"encoding"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/btfgen/btfgen/cgen/gogen/internal/big"
	"github.com/btfgen/btfgen/cgen/gogen/internal/little"
	"github.com/btfgen/btfgen/goldens/clangtest"
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
)

// A BPF program on the running kernel sends a record with bitfields and a union
// through a ring buffer, and Go reads what it sent.
func TestRingBuffer(t *testing.T) {
	files := make(map[string]string)
	for name, path := range map[string]string{"main.c": "testdata/ring.bpf.c", "records.c": "testdata/records.c"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	object, output, err := clangtest.Newest(t).Compile(t, files, "-target", "bpf", "-g", "-O2", "-Wall")
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Skipf("the running kernel lets this user load no BPF programs: %v", err)
	}
	collection, err := ebpf.LoadCollection(object)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, ebpf.ErrNotSupported) {
		t.Skipf("the running kernel lets this user load no BPF programs: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer collection.Close()
	reader, err := ringbuf.NewReader(collection.Maps["ring"])
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if code, _, err := collection.Programs["send"].Test(make([]byte, 64)); err != nil || code != 0 {
		t.Fatalf("the program returned %d (%v)", code, err)
	}
	reader.SetDeadline(time.Now().Add(10 * time.Second))
	record, err := reader.Read()
	if err != nil {
		t.Fatal(err)
	}
	var e encoding.BinaryUnmarshaler = new(little.Event)
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		e = new(big.Event)
	}
	if err := e.UnmarshalBinary(record.RawSample); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"TimestampNs": "1234605616436508552", "PID": "4711", "IsIPv6.IsTrue": "true", "Tiny": "TINY_B", "CommString": "bpf",
		"Saddr.V6": "[0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 16]", "VerdictKnown": "1", "Retries": "5", "Verdict": "VERDICT_TCP_RESET", "Delta": "-3",
	} {
		if got := lookup(t, e, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}
