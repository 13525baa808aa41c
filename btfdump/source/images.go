package source

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// within checks that a part of an input, which a header tells of, lies inside
// it.
func within(what string, offset, size int64, in *input) error {
	if offset < 0 || size < 0 || offset > in.size || size > in.size-offset {
		return fmt.Errorf("cut short: its %s ends at byte %d of %d", what, offset+size, in.size)
	}
	return nil
}

// scanned opens an image whose header does not tell where the kernel is.
func scanned(arch string) func(*search, *input) error {
	return func(s *search, in *input) error {
		if arch != "" {
			s.known.arch = arch
		}
		return scan(s, in, scanBTF|scanPacked)
	}
}

// isBzImage knows x86's boot image by the magic of its setup header
// (Documentation/arch/x86/boot.rst).
func isBzImage(head []byte) bool {
	return len(head) >= 0x250 && string(head[0x202:0x206]) == "HdrS" && head[0x1fe] == 0x55 && head[0x1ff] == 0xaa
}

func openBzImage(s *search, in *input) error {
	if err := in.reachable(s.budget); err != nil {
		return err
	}
	head, err := in.head()
	if err != nil {
		return err
	}
	s.known.arch = "x86_64"
	if binary.LittleEndian.Uint16(head[0x236:])&1 == 0 { // xloadflags: XLF_KERNEL_64
		s.known.arch = "i386"
	}
	if release := bzImageRelease(head, in); release != "" {
		s.known.release = release
	}

	// The payload's place is told since version 2.08 (Linux 2.6.26).
	if binary.LittleEndian.Uint16(head[0x206:]) < 0x208 {
		return scan(s, in, scanPacked)
	}
	setup := int64(head[0x1f1])
	if setup == 0 {
		setup = 4 // for images from before setup_sects was filled in
	}
	offset := (setup+1)*512 + le32(head, 0x248)
	size := le32(head, 0x24c)
	if err := within("payload", offset, size, in); err != nil {
		return err
	}
	return openPayload(s, in, offset, size)
}

// bzImageRelease returns the release from the version string, to which a pointer
// in the header leads, counted from byte 0x200.
func bzImageRelease(head []byte, in *input) string {
	pointer := int64(binary.LittleEndian.Uint16(head[0x20e:]))
	if pointer == 0 {
		return ""
	}
	text := make([]byte, 256)
	n, _ := in.at.ReadAt(text, 0x200+pointer)
	return releaseOf(string(text[:n]))
}

// releaseOf returns the release at the start of a text, "" if what is there does
// not look like one: it must be plain, since headers repeat it.
func releaseOf(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(plain, r) })
	if end < 0 {
		end = len(text)
	}
	release := text[:end]
	digits := strings.TrimLeft(release, "0123456789")
	if len(digits) == len(release) || !strings.HasPrefix(digits, ".") || len(release) > 128 ||
		end < len(text) && !strings.ContainsRune(" \x00\n", rune(text[end])) {
		return ""
	}
	return release
}

// openPayload opens the compressed kernel in an image. Behind it stands the
// unpacked size in 32 bits, put there by the build for what does not tell it
// itself (size_append in the kernel's scripts/Makefile.lib); gzip does.
func openPayload(s *search, in *input, offset, size int64) error {
	var last, first [4]byte
	if size < 8 {
		return fmt.Errorf("its payload has only %d bytes", size)
	}
	if _, err := in.at.ReadAt(last[:], offset+size-4); err != nil {
		return cut(offset, offset+size, err)
	}
	if _, err := in.at.ReadAt(first[:], offset); err != nil {
		return cut(offset, offset+size, err)
	}
	hint := int64(binary.LittleEndian.Uint32(last[:]))
	if isGzip(first[:]) || hint <= size || hint >= size*MaxRatio {
		hint = 0
	}
	payload := in.section(offset, size)
	payload.hint = hint
	return s.descend("", offset, payload)
}

// isZboot knows the EFI images that unpack themselves
// (drivers/firmware/efi/libstub/zboot-header.S).
func isZboot(head []byte) bool {
	return len(head) >= 56 && string(head[:2]) == "MZ" && string(head[4:8]) == "zimg"
}

func openZboot(s *search, in *input) error {
	if err := in.reachable(s.budget); err != nil {
		return err
	}
	head, err := in.head()
	if err != nil {
		return err
	}
	offset, size := le32(head, 8), le32(head, 12)
	if err := within("payload", offset, size, in); err != nil {
		return err
	}
	// The size does not always include the four bytes behind the payload, which
	// are gzip's own end.
	return s.descend("", offset, in.section(offset, min(size+4, in.size-offset)))
}

// isZImage knows 32-bit ARM's image by its magic number in either byte order
// (arch/arm/boot/compressed/head.S).
func isZImage(head []byte) bool {
	return at(0x24, "\x18\x28\x6f\x01")(head) || at(0x24, "\x01\x6f\x28\x18")(head)
}

// openUImage opens U-Boot's legacy image: a header of 64 bytes, and one image
// behind it (include/image.h of U-Boot). An image of several parts starts with
// their sizes; it is searched.
func openUImage(s *search, in *input) error {
	if err := in.reachable(s.budget); err != nil {
		return err
	}
	head, err := in.head()
	if err != nil {
		return err
	}
	const headerSize = 64
	if len(head) < headerSize {
		return cut(int64(len(head)), headerSize, nil)
	}
	size := int64(binary.BigEndian.Uint32(head[12:]))
	if err := within("content", headerSize, size, in); err != nil {
		return err
	}
	s.known.arch = map[byte]string{2: "arm", 3: "i386", 5: "mips", 7: "ppc", 22: "aarch64", 24: "x86_64", 26: "riscv"}[head[29]]
	const multi = 4 // IH_TYPE_MULTI
	if head[30] == multi {
		return scan(s, in, scanBTF|scanPacked)
	}
	return s.descend("", headerSize, in.section(headerSize, size))
}

// openAndroid opens a boot.img: the kernel stands on the page behind the header
// (bootimg.h of Android's mkbootimg).
func openAndroid(s *search, in *input) error {
	if err := in.reachable(s.budget); err != nil {
		return err
	}
	head, err := in.head()
	if err != nil {
		return err
	}
	if len(head) < 48 {
		return cut(int64(len(head)), 48, nil)
	}
	size, page := le32(head, 8), le32(head, 36)
	// In old headers the version's place was unused, or had the size of a
	// device tree.
	if version := le32(head, 40); version == 3 || version == 4 {
		page = 4096
	}
	if err := within("kernel", page, size, in); err != nil {
		return err
	}
	return s.descend("kernel", page, in.section(page, size))
}
