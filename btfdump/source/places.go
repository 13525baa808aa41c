package source

import (
	"path"
	"slices"
	"strings"
)

// Where kernels lie
//
// Directories and archives are read by one rule, so that a tree gives the same
// kernel as a tar of it. A file is a candidate by its place and name. There are
// four classes, and of a tree only the first counts in which there is BTF: who
// gives the root of a file system means the kernels that it boots, not a file
// in somebody's home directory that is called vmlinux too.

// A class says how sure it is that a file is meant. Lower ones come first.
type class int

const (
	placed  class = iota // called as kernels are, where kernels lie
	called               // called as kernels are, elsewhere
	sniffed              // its first bytes are a kernel's
	nested               // an archive or package in an archive or tree
)

// A place is where something lies: class and rank say what is preferred. The
// rank tells images of one kernel apart, of which the first that has BTF is
// taken.
type place struct {
	class class
	rank  int
}

// places are the directories in which distributions, boot loaders and kernel
// builds keep kernels, as patterns of package path, from the root of a file
// system, from /boot, an EFI system partition, lib/modules/RELEASE or a build's
// directory. Of the images of one release, those of earlier places come first.
var places = []string{
	"",      // of /boot, lib/modules/RELEASE, a build
	"build", // of lib/modules/RELEASE
	"kernel",
	"arch/*/boot",
	"usr/lib/debug/boot", "usr/lib/debug/lib/modules/*", "usr/lib/debug/usr/lib/modules/*",
	"boot",
	"lib/modules/*", "lib/modules/*/build",
	"usr/lib/modules/*", "usr/lib/modules/*/build",
	"boot/firmware",                        // Raspberry Pi OS, Ubuntu for it
	"boot/ostree/*", "usr/lib/ostree-boot", // OSTree
	"ostree/*",                                              // the same, of /boot
	"boot/EFI/Linux", "boot/efi/EFI/Linux", "efi/EFI/Linux", // unified kernel images (uapi-group.org/specifications)
	"EFI/Linux",
	"boot/*/*", "boot/efi/*/*", "efi/*/*", // MACHINE-ID/RELEASE/linux of kernel-install(8)
	"run/current-system", "run/booted-system", "nix/store/*-linux-*", // NixOS
	"nix/var/nix/profiles/system",
	"boot/flatcar", "boot/coreos",
	"usr/lib/kernel", // Clear Linux
}

// shallow are places that are so general that only a file called linux counts
// in them.
func shallow(pattern string) bool { return strings.HasSuffix(pattern, "/*/*") }

// placeOf returns the place of a file, whose path starts at the root of the tree
// or archive and is clean. ok is false for files that are no candidates by their
// names.
func placeOf(name string) (p place, ok bool) {
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	switch { // it is asked of every file of an archive
	case isArchiveName(base):
		if !isBTFName(base) {
			// In a file system's root there are many archives that have nothing
			// to do with kernels.
			isPackage := strings.HasPrefix(base, "linux") || strings.HasPrefix(base, "kernel") || strings.HasPrefix(base, "bpftool")
			return place{nested, 0}, isPackage || strings.Count(name, "/") <= 1
		}
	case !isKernelName(withoutPacking(base)):
		return place{}, false
	}
	for i, pattern := range places {
		if match, _ := path.Match(pattern, dir); match && (!shallow(pattern) || base == "linux") {
			return place{placed, i*len(images) + imageRank(base)}, true
		}
	}
	return place{called, imageRank(base)}, true
}

// images are what kernel images are called: by their beginnings, or by a pattern
// where there is a *. Those that need no unpacking come first.
var images = []string{
	"vmlinux", "vmlinuz", "bzImage", "zImage", "xipImage", "Image", "uImage", "fitImage",
	"kernel-", "kernel*.img", "boot.img", "boot-*.img", "org.clearlinux.", "linux.efi", "*.itb", "*.efi", "*.btf",
}

// imageRank is the index of the first of images that a name matches, or their
// number.
func imageRank(base string) int {
	for i, pattern := range images {
		if strings.Contains(pattern, "*") {
			if match, _ := path.Match(pattern, base); match {
				return i
			}
		} else if strings.HasPrefix(base, pattern) {
			return i
		}
	}
	return len(images) - 1
}

// isKernelName says whether a file is called as kernel images, or files with a
// kernel's BTF, are.
func isKernelName(base string) bool {
	for _, suffix := range []string{
		".map", ".h", ".lds", ".hmac", ".py", ".sig", ".asc", ".md5", ".sha256", ".c", ".o", ".a", ".S", ".cmd", ".d", ".txt", ".json",
		".config", ".order", ".symvers", ".dtb", ".dts", ".conf", ".html", ".xml", ".spec", ".sh", ".sym",
	} {
		if strings.HasSuffix(base, suffix) {
			return false
		}
	}
	switch base {
	case "kernel", "linux", "boot.img", "vmlinux.bin":
		return true
	}
	for _, prefix := range []string{"vmlinu", "bzImage", "zImage", "xipImage", "uImage", "Image", "fitImage", "kernel-", "kernel8", "kernel7", "org.clearlinux."} {
		if strings.HasPrefix(base, prefix) {
			return true
		}
	}
	lower := strings.ToLower(base) // FAT has no case
	switch path.Ext(lower) {
	case ".btf", ".itb":
		return true
	case ".img":
		return strings.HasPrefix(base, "kernel") || strings.HasPrefix(base, "boot-")
	case ".efi":
		return !slices.ContainsFunc(loaders, func(loader string) bool { return strings.HasPrefix(lower, loader) })
	}
	return strings.HasSuffix(lower, ".efi.signed")
}

// loaders are how programs of the EFI are called that are no kernels.
var loaders = []string{"boot", "grub", "gcd", "shim", "mm", "fb", "systemd-boot", "addon", "fwup", "memtest", "refind", "ipxe", "snponly", "shell", "preloader", "hashtool", "keytool", "syslinux", "limine", "mokmanager"}

// packings are the suffixes of archives and compressed files.
var packings = append([]string{".gz", ".xz", ".zst", ".lz4", ".bz2", ".lzma", ".lzo"}, archives...)

// archives are those of archives.
var archives = []string{".tar", ".tgz", ".txz", ".tzst", ".tbz", ".tbz2", ".zip", ".deb", ".ddeb", ".udeb", ".rpm", ".ipk", ".apk", ".xbps"}

// isArchiveName says whether a file is called as archives and packages are,
// compressed or not.
func isArchiveName(base string) bool {
	for {
		ext := path.Ext(base)
		switch {
		case ext == base || !slices.Contains(packings, ext):
			return false
		case slices.Contains(archives, ext):
			return true
		}
		base = strings.TrimSuffix(base, ext)
	}
}

// isBTFName says whether a file is called as BTF is, packed or not.
func isBTFName(base string) bool { return strings.HasSuffix(withoutPacking(base), ".btf") }

// withoutPacking returns a file's name without the suffixes of archives and
// compressed files.
func withoutPacking(base string) string {
	for {
		ext := path.Ext(base)
		if ext == base || !slices.Contains(packings, ext) {
			return base
		}
		base = strings.TrimSuffix(base, ext)
	}
}

// moduleName returns the name of the module in a file, if the file is one.
func moduleName(base string) (string, bool) {
	stem, rest, ok := strings.Cut(base, ".ko")
	switch rest {
	case "", ".gz", ".xz", ".zst", ".lz4", ".bz2", ".debug":
		return canonical(stem), ok
	}
	return "", false
}

// releaseInPath returns the release of the kernel that a file belongs to, from
// paths such as boot/vmlinuz-6.12.9-amd64 and lib/modules/6.12.9-amd64/vmlinuz.
func releaseInPath(name string) string {
	dir, base := path.Split(name)
	above := strings.Split(strings.TrimSuffix(dir, "/"), "/")
	for i, part := range above {
		if part == "modules" && i+1 < len(above) {
			if release := releaseOf(above[i+1]); release != "" {
				return release
			}
		}
	}
	if base == "linux" { // kernel-install's
		return releaseOf(above[len(above)-1])
	}
	if i := len(above) - 1; i >= 2 && above[i-2] == "nix" && above[i-1] == "store" {
		if _, release, ok := strings.Cut(above[i], "-linux-"); ok {
			return releaseOf(release)
		}
	}
	stem := withoutPacking(base)
	for _, suffix := range []string{".btf", ".signed", ".unsigned", ".efi", ".EFI", ".debug"} {
		stem = strings.TrimSuffix(stem, suffix)
	}
	for _, prefix := range []string{"vmlinuz-", "vmlinux-", "vmlinux.", "bzImage-", "zImage-", "uImage-", "Image-", "Image.gz-", "kernel-"} {
		if rest, ok := strings.CutPrefix(stem, prefix); ok {
			return releaseOf(rest)
		}
	}
	switch lower := strings.ToLower(base); {
	case isBTFName(base): // BTFHub's archives
		return releaseOf(stem)
	case strings.Contains(lower, ".efi"):
		// MACHINE-ID-RELEASE.efi of kernel-install, with a count of the tries
		// that are left behind it (systemd-boot's "automatic boot assessment").
		if id, rest, ok := strings.Cut(stem, "-"); ok && len(id) == 32 && strings.Trim(id, "0123456789abcdef") == "" {
			stem = rest
		}
		if i := strings.LastIndexByte(stem, '+'); i >= 0 && i+1 < len(stem) && strings.Trim(stem[i+1:], "0123456789-") == "" {
			stem = stem[:i]
		}
		return releaseOf(stem)
	}
	return ""
}

// cleanPath returns a path of an archive as one from its root, in one spelling.
func cleanPath(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
