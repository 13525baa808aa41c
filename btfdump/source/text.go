package source

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// A TextError is that of an input that is text. It is an [ErrNoBTF].
type TextError struct {
	What string // what it is, such as "text"
}

func (e *TextError) Error() string { return fmt.Sprintf("%v: it is %s", ErrNoBTF, e.What) }

// Unwrap returns [ErrNoBTF].
func (e *TextError) Unwrap() error { return ErrNoBTF }

// textualSize is how many bytes of an input tell whether it is text.
const textualSize = 4096

// describeText says what an input that starts with head is, if that is text; ""
// if it is not. What it says of a download is what its user has to know: that the
// file is not the one that was asked for.
func describeText(head []byte) string {
	head = head[:min(len(head), textualSize)]
	if !IsText(head) {
		return ""
	}
	start := bytes.ToLower(bytes.TrimLeft(head, " \t\r\n\ufeff"))
	for _, known := range []struct{ start, what string }{
		{"<!doctype html", "a web page, which a server may give instead of a file"},
		{"<html", "a web page, which a server may give instead of a file"},
		{"<?xml", "XML, which a server may give instead of a file"},
		// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
		{"version https://git-lfs.github.com/spec", "a pointer of Git LFS to a file that is not here: git lfs pull gets it"},
	} {
		if bytes.HasPrefix(start, []byte(known.start)) {
			return known.what
		}
	}
	return "text"
}

// IsText reports whether bytes may be the start of a text in UTF-8: its last rune may
// be cut. No bytes are none.
func IsText(head []byte) bool {
	if len(head) == 0 {
		return false
	}
	for i := 1; i < utf8.UTFMax && i < len(head); i++ {
		if utf8.RuneStart(head[len(head)-i]) {
			if !utf8.FullRune(head[len(head)-i:]) {
				head = head[:len(head)-i]
			}
			break
		}
	}
	for _, c := range head {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != '\v' && c != '\b' && c != 0x1b || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(head)
}
