package source

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// A NotReadError is that of an input in a format that is known and not read, as
// those of file systems. It is an [ErrNoBTF].
type NotReadError struct {
	Format string // such as "ext4 file system"
	Advice string // what to do instead, as in "mount it"
}

func (e *NotReadError) Error() string {
	return fmt.Sprintf("%s, which is not looked into: %s", e.Format, e.Advice)
}

// Unwrap returns [ErrNoBTF].
func (e *NotReadError) Unwrap() error { return ErrNoBTF }

const (
	adviceMount   = "mount it (mount -o ro,loop) and give the directory, or one file of it"
	adviceUnpack  = "unpack it and give the directory, or one file of it"
	adviceConvert = "convert it (qemu-img convert -O raw), mount its partitions (losetup -P) and give the directory"
	adviceDisk    = "mount its partitions (losetup -P) and give the directory"
	adviceUnlock  = "unlock and mount it, and give the directory"
	adviceSparse  = "convert it (simg2img), mount it and give the directory"
)

// A signature is how a format that is not read can be known.
type signature struct {
	format, advice string
	offset         int
	magic          string
	more           func(head []byte) bool // nil: the magic is enough
}

// signatures are in the order in which they are tried: what has room for a boot
// sector may look like a disk, too.
var signatures = []signature{
	{"a squashfs file system", "unpack it (unsquashfs) or " + adviceMount, 0, "hsqs", nil},
	{"a squashfs file system", "unpack it (unsquashfs) or " + adviceMount, 0, "sqsh", nil},
	{"an xfs file system", adviceMount, 0, "XFSB", nil},
	{"an ext2, ext3 or ext4 file system", adviceMount, 1024 + 56, "\x53\xef", isExt},
	{"an erofs file system", adviceMount, 1024, "\xe2\xe1\xf5\xe0", nil},
	{"an f2fs file system", adviceMount, 1024, "\x10\x20\xf5\xf2", nil},
	{"a btrfs file system", adviceMount, 65536 + 64, "_BHRfS_M", nil},
	{"a bcachefs file system", adviceMount, 4096 + 24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef", nil},
	{"a bcachefs file system", adviceMount, 4096 + 24, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81", nil},
	{"an ISO 9660 file system", adviceMount, 32769, "CD001", nil},
	{"a UDF file system", adviceMount, 32769, "BEA01", nil},
	{"an NTFS file system", adviceMount, 3, "NTFS    ", nil},
	{"an exFAT file system", adviceMount, 3, "EXFAT   ", nil},
	{"a FAT file system", adviceMount, 82, "FAT32   ", isBootSector},
	{"a FAT file system", adviceMount, 54, "FAT1", isBootSector},
	{"a FAT file system", adviceMount, 54, "FAT     ", isBootSector},
	{"a cramfs file system", adviceMount, 0, "\x45\x3d\xcd\x28", nil},
	{"a cramfs file system", adviceMount, 0, "\x28\xcd\x3d\x45", nil},
	{"a romfs file system", adviceMount, 0, "-rom1fs-", nil},
	{"a JFFS2 file system", adviceUnpack, 0, "\x85\x19", isJFFS2},
	{"a UBI image", adviceUnpack, 0, "UBI#", nil},
	{"a UBIFS file system", adviceUnpack, 0, "\x31\x18\x10\x06", nil},
	{"a JFS file system", adviceMount, 32768, "JFS1", nil},
	{"a ReiserFS file system", adviceMount, 65536 + 52, "ReIsEr", nil},
	{"a NILFS2 file system", adviceMount, 1024 + 6, "\x34\x34", isNILFS},
	{"an HFS+ file system", adviceMount, 1024, "H+\x00\x04", nil},

	{"a qcow2 disk image", adviceConvert, 0, "QFI\xfb", nil},
	{"a VMDK disk image", adviceConvert, 0, "KDMV", nil},
	{"a VMDK disk image", adviceConvert, 0, "# Disk DescriptorFile", nil},
	{"a VDI disk image", adviceConvert, 64, "\x7f\x10\xda\xbe", nil},
	{"a VHD disk image", adviceConvert, 0, "conectix", nil},
	{"a VHDX disk image", adviceConvert, 0, "vhdxfile", nil},
	{"a Parallels disk image", adviceConvert, 0, "WithoutFreeSpace", nil},
	{"a sparse image of Android", adviceSparse, 0, "\x3a\xff\x26\xed", nil},
	{"a LUKS volume", adviceUnlock, 0, "LUKS\xba\xbe", nil},
	{"an LVM volume", "activate it, mount its volumes and give the directory", 512, "LABELONE", nil},
	{"swap space", "it has no files", 4086, "SWAPSPACE2", nil},
	{"a disk image with partitions (GPT)", adviceDisk, 512, "EFI PART", nil},
	{"a disk image with partitions (GPT)", adviceDisk, 4096, "EFI PART", nil},
	{"a disk image with partitions (MBR)", adviceDisk, 510, "\x55\xaa", isMBR},

	{"a 7z archive", adviceUnpack, 0, "7z\xbc\xaf\x27\x1c", nil},
	{"a RAR archive", adviceUnpack, 0, "Rar!\x1a\x07", nil},
	{"a cabinet", adviceUnpack, 0, "MSCF\x00\x00\x00\x00", nil},
	{"a WIM archive", adviceUnpack, 0, "MSWIM\x00\x00\x00", nil},
	{"a xar archive", adviceUnpack, 0, "xar!", nil},
	{"a cpio archive of the old portable format (odc)", adviceUnpack, 0, "070707", nil},
	{"a cpio archive of the old binary format", adviceUnpack, 0, "\xc7\x71", isOldCpio},
	{"a cpio archive of the old binary format", adviceUnpack, 0, "\x71\xc7", isOldCpio},
	{"an Alpine package of version 3", "unpack it (apk extract) and give the directory", 0, "ADB", isADB},
	{"a zip archive of several parts", adviceUnpack, 0, "PK\x07\x08", nil},
	{"lzip data", "unpack it (lzip -d) and give what comes out", 0, "LZIP\x01", nil},
	{"compress data", "unpack it (uncompress) and give what comes out", 0, "\x1f\x9d", nil},
	{"an ar archive of thin members", adviceUnpack, 0, "!<thin>\n", nil},
}

// signatureSize is how many bytes of an input the signatures look at.
const signatureSize = 65536 + 128

// notRead returns the error of an input in a format that is known and not read,
// nil for others.
func notRead(in *input) *NotReadError {
	head := in.start(signatureSize)
	for _, s := range signatures {
		if len(head) >= s.offset && bytes.HasPrefix(head[s.offset:], []byte(s.magic)) && (s.more == nil || s.more(head)) {
			return &NotReadError{s.format, s.advice}
		}
	}
	return nil
}

// isExt checks more of a superblock than the two bytes of its magic number: the
// block size's logarithm, the state, and that there are inodes and blocks.
func isExt(head []byte) bool {
	if len(head) < 1024+100 {
		return false
	}
	b := head[1024:]
	return le32(b, 0) > 0 && le32(b, 4) > 0 && le32(b, 24) <= 6 && binary.LittleEndian.Uint16(b[58:]) < 8
}

func isNILFS(head []byte) bool {
	return len(head) >= 1024+16 && le32(head, 1024) == 2 // its revision
}

// isJFFS2 knows the types of its first node: a clean marker, an inode or a name.
func isJFFS2(head []byte) bool {
	if len(head) < 12 {
		return false
	}
	switch binary.LittleEndian.Uint16(head[2:]) {
	case 0x2003, 0xe001, 0xe002:
		return true
	}
	return false
}

func isBootSector(head []byte) bool {
	return len(head) >= 512 && head[510] == 0x55 && head[511] == 0xaa
}

// isMBR looks at the four partitions: each is empty or has a type, a place and a
// size, and one at least is there.
func isMBR(head []byte) bool {
	if len(head) < 512 || bytes.HasPrefix(head, []byte("MZ")) {
		return false
	}
	n := 0
	for i := range 4 {
		entry := head[446+16*i:][:16]
		if string(entry) == string(make([]byte, 16)) {
			continue
		}
		if entry[0]&0x7f != 0 || entry[4] == 0 || le32(entry, 8) == 0 || le32(entry, 12) == 0 {
			return false
		}
		n++
	}
	return n > 0
}

// isOldCpio knows the mode of the first member, a file or directory.
func isOldCpio(head []byte) bool {
	if len(head) < 26 {
		return false
	}
	mode := binary.LittleEndian.Uint16(head[6:])
	if head[0] == 0x71 {
		mode = binary.BigEndian.Uint16(head[6:])
	}
	kind := mode & 0o170000
	return kind == 0o040000 || kind == 0o100000 || kind == 0o120000
}

// isADB knows what is behind the magic: no compression, deflate, or another.
func isADB(head []byte) bool {
	return len(head) >= 4 && (head[3] == '.' || head[3] == 'd' || head[3] == 'c')
}
