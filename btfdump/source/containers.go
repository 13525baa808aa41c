package source

import (
	"bytes"
	"encoding/binary"
	"io"
)

// A container is one way to keep BTF, or something else that holds it.
type container struct {
	name string

	// match says by the first bytes of an input, at most headSize of them,
	// whether open can read it.
	match func(head []byte) bool

	// open looks for BTF in the input and gives it to the search, and goes on
	// with what else the input holds. Its errors name neither the input nor the
	// container: the search does.
	open func(s *search, in *input) error
}

// containers is the table of all containers. They are tried in order, and the
// first that matches has the input.
var containers []container

func init() { // not in the declaration: opening one container leads to others
	containers = []container{
		{"raw BTF", isRaw, openRaw},
		{"ELF", prefix("\x7fELF"), openELF},

		{"gzip", isGzip, decompress(newGzip)},
		{"xz", prefix(xzMagic), decompress(newXZ)},
		{"zstd", isZstd, openZstd},
		{"lz4", isLZ4, openLZ4},
		{"bzip2", isBzip2, decompress(newBzip2)},
		{"lzop", prefix(lzopMagic), decompress(newLzop)},

		{"deb", prefix("!<arch>\n"), openAr},
		{"rpm", prefix("\xed\xab\xee\xdb"), openRPM},
		{"cpio", isCpio, openInitramfs},
		{"tar", isTar, openTar},
		{"zip", isZip, openZip},

		{"bzImage", isBzImage, openBzImage},
		{"EFI zboot image", isZboot, openZboot},
		{"arm64 Image", at(56, "ARM\x64"), scanned("arm64")},
		{"riscv64 Image", at(56, "RSC\x05"), scanned("riscv64")},
		{"ARM zImage", isZImage, scanned("arm")},
		{"EFI program", isPE, openPE},
		{"uImage", prefix("\x27\x05\x19\x56"), openUImage},
		{"device tree (FIT)", prefix("\xd0\x0d\xfe\xed"), scanned("")},
		{"Android boot image", prefix("ANDROID!"), openAndroid},

		{"lzma", isLZMA, decompress(newLZMA)}, // last, for its header is the least telling
	}
}

// prefix matches inputs that start with magic.
func prefix(magic string) func([]byte) bool { return at(0, magic) }

// at matches inputs that have magic at an offset.
func at(offset int, magic string) func([]byte) bool {
	return func(head []byte) bool {
		return len(head) >= offset && bytes.HasPrefix(head[offset:], []byte(magic))
	}
}

// identify returns the container that an input with the given first bytes is, or
// nil.
func identify(head []byte) *container {
	for i := range containers {
		if containers[i].match(head) {
			return &containers[i]
		}
	}
	return nil
}

// isRaw knows BTF by its magic number, 0xeB9F, in either byte order, and by its
// version (include/uapi/linux/btf.h).
func isRaw(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x9f, 0xeb}) || bytes.HasPrefix(head, []byte{0xeb, 0x9f})
}

func openRaw(s *search, in *input) error {
	if in.size > MaxBTF {
		return tooMuchBTF("the input")
	}
	if in.at == nil {
		in = streamInput(io.LimitReader(in.stream, MaxBTF+1), in.size)
	}
	raw, err := in.bytes(s.budget)
	if err != nil {
		return err
	}
	if len(raw) > MaxBTF {
		return tooMuchBTF("the input")
	}
	s.budget.held -= int64(len(raw)) // it is not the layer's any more, but what was found
	s.add(Found{Raw: raw})
	return nil
}

// le32 reads a word of a header in little endian. The header must be long
// enough.
func le32(head []byte, offset int) int64 {
	return int64(binary.LittleEndian.Uint32(head[offset:]))
}
