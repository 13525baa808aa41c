package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

// imageWith returns an image of a size with texts at offsets.
func imageWith(size int, parts map[int]string) []byte {
	image := make([]byte, size)
	for offset, text := range parts {
		copy(image[offset:], text)
	}
	return image
}

// What is known and not looked into is named, with what to do, as a file, in
// compressed data and in a stream.
func TestFormatsThatAreNotRead(t *testing.T) {
	ext := imageWith(200_000, map[int]string{1024 + 56: "\x53\xef\x01\x00"})
	binary.LittleEndian.PutUint32(ext[1024:], 100)
	binary.LittleEndian.PutUint32(ext[1028:], 400)
	binary.LittleEndian.PutUint32(ext[1024+24:], 2)
	mbr := imageWith(4096, map[int]string{446: "\x80\x20\x21\x00\x83\xfe\xff\xff\x00\x08\x00\x00\x00\x00\x10\x00", 510: "\x55\xaa"})
	for _, c := range []struct {
		name   string
		data   []byte
		format string // "" if it is none of these
		advice string
	}{
		{"ext4", ext, "an ext2, ext3 or ext4 file system", "mount it"},
		{"squashfs", imageWith(4096, map[int]string{0: "hsqs"}), "a squashfs file system", "unsquashfs"},
		{"erofs", imageWith(8192, map[int]string{1024: "\xe2\xe1\xf5\xe0"}), "an erofs file system", "mount it"},
		{"btrfs", imageWith(1<<17, map[int]string{65600: "_BHRfS_M"}), "a btrfs file system", "mount it"},
		{"xfs", imageWith(4096, map[int]string{0: "XFSB"}), "an xfs file system", "mount it"},
		{"f2fs", imageWith(8192, map[int]string{1024: "\x10\x20\xf5\xf2"}), "an f2fs file system", "mount it"},
		{"iso9660", imageWith(65536, map[int]string{32769: "CD001"}), "an ISO 9660 file system", "mount it"},
		{"FAT32", imageWith(4096, map[int]string{82: "FAT32   ", 510: "\x55\xaa"}), "a FAT file system", "mount it"},
		{"FAT16", imageWith(4096, map[int]string{54: "FAT16   ", 510: "\x55\xaa"}), "a FAT file system", "mount it"},
		{"qcow2", imageWith(4096, map[int]string{0: "QFI\xfb"}), "a qcow2 disk image", "qemu-img convert"},
		{"GPT", imageWith(4096, map[int]string{512: "EFI PART"}), "a disk image with partitions (GPT)", "losetup -P"},
		{"MBR", mbr, "a disk image with partitions (MBR)", "losetup -P"},
		{"sparse", imageWith(4096, map[int]string{0: "\x3a\xff\x26\xed\x01"}), "a sparse image of Android", "simg2img"},
		{"7z", imageWith(4096, map[int]string{0: "7z\xbc\xaf\x27\x1c"}), "a 7z archive", "unpack it"},
		{"rar", imageWith(4096, map[int]string{0: "Rar!\x1a\x07\x01"}), "a RAR archive", "unpack it"},
		{"odc", imageWith(4096, map[int]string{0: "070707"}), "a cpio archive of the old portable format (odc)", "unpack it"},
		{"apk 3", imageWith(4096, map[int]string{0: "ADBd"}), "an Alpine package of version 3", "apk extract"},
		// What only looks like one.
		{"a boot sector without partitions", imageWith(4096, map[int]string{510: "\x55\xaa"}), "", ""},
		{"partitions without a place", imageWith(4096, map[int]string{446: "\x80\x20\x21\x00\x83\xfe\xff\xff\x00\x00\x00\x00\x00\x00\x10\x00", 510: "\x55\xaa"}), "", ""},
		{"two bytes of ext4", imageWith(200_000, map[int]string{1024 + 56: "\x53\xef"}), "", ""},
		{"short", []byte("hsq"), "", ""},
		{"zeros", make([]byte, 100_000), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for form, in := range map[string]*input{
				"a file":   fileInput(bytes.NewReader(c.data), int64(len(c.data))),
				"a stream": streamInput(io.MultiReader(bytes.NewReader(c.data)), -1),
				"in gzip":  fileInput(memory(pack(t, c.data, "gzip", "-c")), int64(len(pack(t, c.data, "gzip", "-c")))),
				"in a tar": fileInput(memory(tarball(file{"boot/Image", c.data})), int64(len(tarball(file{"boot/Image", c.data})))),
			} {
				err := (&search{wants: wants{kernel: true}}).run(in, 0)
				var known *NotReadError
				if !errors.Is(err, ErrNoBTF) {
					t.Errorf("%s: got the error %v", form, err)
				} else if errors.As(err, &known) != (c.format != "") || known != nil && (known.Format != c.format || !strings.Contains(err.Error(), c.advice)) {
					t.Errorf("%s: got the error %v, want %q and %q", form, err, c.format, c.advice)
				}
			}
		})
	}
}
