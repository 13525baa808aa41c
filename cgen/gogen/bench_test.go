package gogen_test

import (
	"encoding/binary"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/gogen"
	"github.com/btfgen/btfgen/cgen/gogen/internal/big"
	"github.com/btfgen/btfgen/cgen/gogen/internal/little"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// BenchmarkGenerate makes all types of a kernel, the BTF's check included.
func BenchmarkGenerate(b *testing.B) {
	raw := btftest.Corpus(b, "amd64-7.2-cloud")
	b.ReportAllocs()
	for b.Loop() {
		v, err := btfdump.New(raw)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := gogen.Generate(v, nil, gogen.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// byHand is struct event as a programmer would decode it.
type byHand struct {
	timestamp  uint64
	pid        uint32
	sourcePort uint16
	isIPv6     bool
	tiny       uint8
	comm       [16]byte
	saddr      [16]byte
	known      uint32
	retries    uint32
	verdict    uint32
	delta      int32
	sock       uint64
	len        uint32
}

func (x *byHand) decode(b []byte) bool {
	if len(b) < 72 {
		return false
	}
	x.timestamp = binary.LittleEndian.Uint64(b[0:])
	x.pid = binary.LittleEndian.Uint32(b[8:])
	x.sourcePort = binary.LittleEndian.Uint16(b[12:])
	x.isIPv6 = b[14] != 0
	x.tiny = b[15]
	copy(x.comm[:], b[16:])
	copy(x.saddr[:], b[32:])
	flags := binary.LittleEndian.Uint32(b[48:])
	x.known, x.retries, x.verdict, x.delta = flags&1, flags>>1&7, flags>>4&0xfff, int32(flags)>>16
	x.sock = binary.LittleEndian.Uint64(b[56:])
	x.len = binary.LittleEndian.Uint32(b[64:])
	return true
}

// BenchmarkDecode reads a record of 72 bytes with all members, four bitfields
// among them: by hand, with generated code, and where the byte order has to be
// turned (on little-endian machines, that is "big").
func BenchmarkDecode(b *testing.B) {
	record := make([]byte, 72)
	var sum uint64
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var x byHand
			if !x.decode(record) {
				b.Fatal("short")
			}
			sum += x.timestamp + uint64(x.known) + uint64(x.retries) + uint64(x.verdict) + uint64(x.delta)
		}
	})
	b.Run("little", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var x little.Event
			if err := x.UnmarshalBinary(record); err != nil {
				b.Fatal(err)
			}
			sum += x.TimestampNs + uint64(x.VerdictKnown()) + uint64(x.Retries()) + uint64(x.Verdict()) + uint64(x.Delta())
		}
	})
	b.Run("big", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var x big.Event
			if err := x.UnmarshalBinary(record); err != nil {
				b.Fatal(err)
			}
			sum += x.TimestampNs + uint64(x.VerdictKnown()) + uint64(x.Retries()) + uint64(x.Verdict()) + uint64(x.Delta())
		}
	})
}
