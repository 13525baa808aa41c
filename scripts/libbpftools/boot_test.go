package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
)

func TestParseLoads(t *testing.T) {
	names := map[string]string{"00000.bpf.o": "/a/x.bpf.o", "00001.bpf.o": "/b/y.bpf.o"}
	const console = "[    0.1] Linux version\r\n@loaded\t00000.bpf.o\tone\t\r\nnoise @loaded\t00001.bpf.o\ttwo\tpermission denied: R1\r\n"
	got, err := parseLoads(console+"@loaded\tend\r\nreboot\r\n", names)
	want := loads{{"/a/x.bpf.o", "one"}: "", {"/b/y.bpf.o", "two"}: "permission denied: R1"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for name, c := range map[string]struct{ console, want string }{
		"no end":         {console + "panic", "did not come to the end: "},
		"unknown object": {"@loaded\t00002.bpf.o\tone\t\n", `odd line: "00002.bpf.o\tone\t"`},
		"cut line":       {"@loaded\t00001.bpf.o\n", `odd line: "00001.bpf.o"`},
	} {
		if _, err := parseLoads(c.console, names); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestInitramfs(t *testing.T) {
	dir := t.TempDir()
	first, object := filepath.Join(dir, "first"), filepath.Join(dir, "tool.bpf.o")
	for path, text := range map[string]string{first: "program", object: "object"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	archive, names, err := initramfs(first, []string{object, first})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"00000.bpf.o": object, "00001.bpf.o": first}; !maps.Equal(names, want) {
		t.Errorf("names %v, want %v", names, want)
	}
	got := make(map[string]string)
	for r := cpio.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Mode != cpio.TypeReg|0o755 {
			t.Errorf("%s has mode %o", header.Name, header.Mode)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got[header.Name] = string(text)
	}
	if want := map[string]string{"init": "program", "00000.bpf.o": "object", "00001.bpf.o": "program"}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestVmlinuz(t *testing.T) {
	for name, want := range map[string]string{"boot/vmlinuz-6.1": "image", "usr/lib/modules/7.2/vmlinuz": "image", "boot/config-6.1": ""} {
		dir := t.TempDir()
		for path, text := range map[string]string{name: "image", "DEBIAN/control": "Package: k\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"} {
			path = filepath.Join(dir, "tree", path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		deb := filepath.Join(dir, "k.deb")
		if built := command(t.Context(), "dpkg-deb", "--root-owner-group", "-b", filepath.Join(dir, "tree"), deb); built.err != nil {
			t.Fatal(built.err)
		}
		image, err := vmlinuz(t.Context(), deb)
		if err != nil || string(image) != want {
			t.Errorf("%s: %q, %v; want %q", name, image, err, want)
		}
	}
	if _, err := vmlinuz(t.Context(), "/dev/null"); err == nil {
		t.Error("no error for what is no package")
	}
}

func TestRefusedProgram(t *testing.T) {
	for text, want := range map[string]string{
		"program trace_open: load program: permission denied: R1 invalid": "trace_open",
		"map start: map create: invalid argument":                         "",
		"can't load program x: y":                                         "",
	} {
		if got := refusedProgram(errors.New(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
