package source

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// An input that is text is called so: what its first four bytes are helps nobody.
func TestTextIsNamed(t *testing.T) {
	long := strings.Repeat("#define CONFIG_\u00e9 1\n", 1000)
	for _, c := range []struct{ name, data, want string }{
		{"a line", "just text\n", "no BTF: it is text"},
		{"a long file, whose 4,096th byte is within a rune", long, "no BTF: it is text"},
		{"shifted by one", "x" + long, "no BTF: it is text"},
		{"terminal colours", "\x1b[1mbold\x1b[0m", "no BTF: it is text"},
		{"a page", "\n <!DOCTYPE HTML><html>", "no BTF: it is a web page, which a server may give instead of a file"},
		{"a page without a type", "<html lang=en>", "no BTF: it is a web page, which a server may give instead of a file"},
		{"XML", `<?xml version="1.0"?><Error/>`, "no BTF: it is XML, which a server may give instead of a file"},
		{"Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "no BTF: it is a pointer of Git LFS to a file that is not here: git lfs pull gets it"},
		{"a NUL", "text\x00", "image: no BTF: the input starts with 74 65 78 74"},
		{"Latin-1", "caf\xe9 au lait", "image: no BTF: the input starts with 63 61 66 e9"},
	} {
		err := (&search{wants: wants{kernel: true}}).run(fileInput(bytes.NewReader([]byte(c.data)), int64(len(c.data))), 0)
		if !errors.Is(err, ErrNoBTF) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got the error %v, want %q", c.name, err, c.want)
		}
		var text *TextError
		if errors.As(err, &text) != strings.HasPrefix(c.want, "no BTF: it is ") {
			t.Errorf("%s: the error is %T", c.name, err)
		}
	}
}

// BTF that stands behind a text, as in a script that unpacks what follows it, is
// found all the same.
func TestBTFBehindText(t *testing.T) {
	want := kernelBTF("behind")
	data := append([]byte("#!/bin/sh\n"+strings.Repeat("# text\n", 1000)), want...)
	s := &search{wants: wants{kernel: true}}
	if err := s.run(fileInput(bytes.NewReader(data), int64(len(data))), 0); err != nil {
		t.Fatal(err)
	}
	if len(s.found) != 1 || !bytes.Equal(s.found[0].Raw, want) {
		t.Errorf("found %d BTFs, want the one behind the text", len(s.found))
	}
}
