package core_test
import ("testing";"os";"github.com/btfgen/btfgen/btfdump";"github.com/btfgen/btfgen/btfdump/core")
func BenchmarkZ(b *testing.B){
 raw,_:=os.ReadFile("/dev/shm/tmp.MNB6cV7efO/k/amd64-7.2-cloud.btf")
 f,_:=os.ReadFile("/dev/shm/tmp.MNB6cV7efO/amd64-7.2-cloud.btf.bpf.o")
 b.Run("New",func(b *testing.B){for range b.N{btfdump.New(raw)}})
 v,_:=btfdump.New(raw)
 b.Run("Target",func(b *testing.B){for range b.N{core.NewTarget(v)}})
 t:=core.NewTarget(v)
 b.Run("Read",func(b *testing.B){for range b.N{core.ReadObject("x",f)}})
 o,_:=core.ReadObject("x",f)
 b.Run("Relocate",func(b *testing.B){for range b.N{t.Relocate(o)}})
 b.Run("TargetFor",func(b *testing.B){for range b.N{core.NewTargetFor(v,[]*core.Object{o})}})
 b.Run("Min",func(b *testing.B){for range b.N{t.Minimize([]*core.Object{o})}})
}
