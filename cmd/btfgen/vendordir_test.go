package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump/source"
)

func TestNameByRelease(t *testing.T) {
	for _, c := range []struct {
		kernels string // file, release, architecture and BTF of each
		want    string
	}{
		{"linux-image_amd64.deb 6.1.0 x86_64 a", "out/6.1.0.btf"},
		{"12/linux-image_amd64.deb 6.1.0 x86_64 a, 11/linux-image_amd64.deb 6.1.0 aarch64 b", "out/12/6.1.0.btf out/11/6.1.0.btf"},
		{"a.deb 6.1.0 x86_64 a, b.deb 6.1.0 arm64 b", "out/6.1.0-x86_64.btf out/6.1.0-aarch64.btf"},
		{"a.deb 6.1.0 arm64 a, b.deb 6.1.0 aarch64 a", "out/6.1.0.btf same"},
		{"a.deb 6.1.0 x86_64 a, b.deb 6.1.0 arm64 b, c.deb 6.2.0 x86_64 c", "out/6.1.0-x86_64.btf out/6.1.0-aarch64.btf out/6.2.0.btf"},
		{"vmlinuz-6.1.0 6.1.0 x86_64 a, vmlinux-6.1.0 6.1.0 x86_64 a", "out/6.1.0.btf same"},
		{"vmlinuz-6.1.0 6.1.0 x86_64 a, vmlinux-6.1.0 6.1.0 x86_64 b", "out/6.1.0.btf error"},
		{"6.1.0.btf - - a, vmlinuz-6.1.0 6.1.0 x86_64 a", "given same"},
		{"6.1.0.btf - - a, vmlinuz-6.1.0 6.1.0 x86_64 b", "given error"},
		{"Image.gz - arm64 a", "out/Image.btf"},
		{"broken.deb ! ! !, a.deb 6.1.0 x86_64 a", "error out/6.1.0.btf"},
	} {
		var outcomes []outcome
		for k := range strings.SplitSeq(c.kernels, ", ") {
			f := strings.Fields(strings.ReplaceAll(k, " -", " ?"))
			o := outcome{kernel: source.KernelFile{Input: f[0], Name: f[0]}, release: strings.Trim(f[1], "?"), arch: strings.Trim(f[2], "?"), raw: []byte(f[3])}
			if o.kernel.IsBTF() {
				o.name = "out/" + f[0]
			}
			if f[1] == "!" {
				o = outcome{kernel: o.kernel, err: errors.New("broken")}
			}
			outcomes = append(outcomes, o)
		}
		nameByRelease(outcomes, "out")
		var got []string
		for _, o := range outcomes {
			switch {
			case o.err != nil:
				got = append(got, "error")
			case o.name == "":
				got = append(got, "same")
			case o.kernel.IsBTF():
				got = append(got, "given")
			default:
				got = append(got, o.name)
			}
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: got %s, want %s", c.kernels, text, c.want)
		}
	}
}
