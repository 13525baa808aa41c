package source

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/cavaliergopher/cpio"
)

// openAr opens a Debian package, which is an ar archive: of its members, the
// files are in data.tar and its compressed forms (deb(5)).
func openAr(s *search, in *input) error {
	s.single = true
	const magicSize, headerSize = 8, 60
	r := in.reader()
	if _, err := io.CopyN(io.Discard, r, magicSize); err != nil {
		return cut(0, magicSize, err)
	}
	for at := int64(magicSize); ; {
		var header [headerSize]byte
		n, err := io.ReadFull(r, header[:])
		if err == io.EOF {
			return fmt.Errorf("%w: it has no data.tar, so it is no Debian package; of other ar archives btfgen knows nothing", ErrNoBTF)
		}
		if err != nil {
			return fmt.Errorf("the header of a member at byte %d: %w", at, cut(int64(n), headerSize, err))
		}
		at += headerSize
		name := strings.TrimRight(string(header[:16]), " /")
		size, err := strconv.ParseInt(strings.TrimRight(string(header[48:58]), " "), 10, 64)
		if err != nil || size < 0 || string(header[58:]) != "`\n" {
			return fmt.Errorf("the header of a member at byte %d is corrupt", at-headerSize)
		}
		if strings.HasPrefix(name, "data.tar") {
			if in.at != nil {
				if at > in.size {
					return cut(in.size, at, nil)
				}
				// Of a file that is cut short, what is there may be enough.
				return s.descend(name, at, in.section(at, min(size, in.size-at)))
			}
			return s.descend(name, at, streamInput(io.LimitReader(r, size), size))
		}
		size += size & 1 // members start at even bytes
		if n, err := io.CopyN(io.Discard, r, size); err != nil {
			return fmt.Errorf("member %s: %w", quoted(name), cut(n, size, err))
		}
		at += size
	}
}

// openRPM opens an RPM package: a lead, two headers, and a compressed cpio
// archive (docs/manual/format_v4.md of rpm). What the headers say is not needed.
func openRPM(s *search, in *input) error {
	s.single = true
	r := &counter{r: in.reader()}
	const leadSize = 96
	if _, err := io.CopyN(io.Discard, r, leadSize); err != nil {
		return cut(r.n, leadSize, err)
	}
	for i, name := range []string{"signature", "header"} {
		var intro [16]byte // magic, version, reserved, number of entries, size of their data
		if _, err := io.ReadFull(r, intro[:]); err != nil {
			return fmt.Errorf("%s: %w", name, cut(r.n, r.n+16, err))
		}
		if !bytes.HasPrefix(intro[:], []byte("\x8e\xad\xe8")) {
			return fmt.Errorf("no %s at byte %d", name, r.n-16)
		}
		size := int64(binary.BigEndian.Uint32(intro[8:]))*16 + int64(binary.BigEndian.Uint32(intro[12:]))
		if i == 0 {
			size += -size & 7 // the signature is padded to 8 bytes
		}
		if _, err := io.CopyN(io.Discard, r, size); err != nil {
			return fmt.Errorf("%s: %w", name, cut(r.n, r.n+size, err))
		}
	}
	if in.at != nil {
		return s.descend("", r.n, in.section(r.n, in.size-r.n))
	}
	return s.descend("", r.n, streamInput(r, -1))
}

// isTar knows tar by the magic of its POSIX and GNU forms (tar(5)).
func isTar(head []byte) bool { return at(257, "ustar")(head) }

func openTar(s *search, in *input) error {
	r := tar.NewReader(in.reader())
	return s.members(func() (string, int64, io.Reader, error) {
		for {
			header, err := r.Next()
			if err != nil {
				return "", 0, nil, err
			}
			if header.Typeflag == tar.TypeReg {
				return header.Name, header.Size, r, nil
			}
		}
	})
}

// isCpio knows the "new" cpio format by its magic, without and with checksums
// (cpio(5)).
func isCpio(head []byte) bool { return prefix("070701")(head) || prefix("070702")(head) }

func openCpio(s *search, in *input) error {
	r := cpio.NewReader(in.reader())
	return s.members(func() (string, int64, io.Reader, error) {
		for {
			header, err := r.Next()
			if err != nil {
				return "", 0, nil, err
			}
			if header.Size < 0 { // the package reads "-0000001" as a number
				return "", 0, nil, errors.New("a member's size is negative")
			}
			// Of the names of one file all but the last have no content.
			if header.Mode.IsRegular() && header.Size > 0 {
				return header.Name, header.Size, r, nil
			}
		}
	})
}

// members opens those files of an archive that may be what is looked for. next
// returns the next one's name, size and content.
func (s *search) members(next func() (string, int64, io.Reader, error)) error {
	s.known.searched = true
	var skipped error // the first candidate's that had no BTF
	candidates := 0
	for n := 0; ; n++ {
		name, size, r, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("after %d files: %w", n, err)
		}
		content := streamInput(r, size)
		if !s.wanted(name, content) {
			continue
		}
		candidates++
		known := s.known
		if release := releaseInPath(name); release != "" {
			s.known.release = release
		}
		err = s.descend(cleanPath(name), -1, content)
		s.known = known
		switch {
		case errors.Is(err, ErrNoBTF):
			if skipped == nil {
				skipped = err
			}
		case err != nil:
			return err
		}
		if s.done() {
			return nil
		}
	}
	switch {
	case len(s.found) > 0:
		return nil
	case skipped != nil:
		return skipped
	}
	if len(s.others) > 0 {
		return fmt.Errorf("%w of the release %s: what is there is %s", ErrNoBTF, quoted(s.wants.release), strings.Join(s.others, ", "))
	}
	return fmt.Errorf("%w: the archive has no kernel image in it (looked for boot/vmlinuz-*, lib/modules/*/vmlinuz and the like; Debian has its kernels of 7.2 and later in linux-binary-*, and their modules in linux-modules-*, which is for -m)", ErrNoBTF)
}

// wanted says whether a file of an archive may be what is looked for: a module
// by its name, a kernel by its name or its first bytes. By name only, most of a
// package need not be looked at; and only by name can a kernel be told from
// other ELF files and compressed data.
func (s *search) wanted(path string, content *input) bool {
	base := path[strings.LastIndexByte(path, '/')+1:]
	if name, ok := moduleName(base); ok {
		return s.wants.module(name)
	}
	if !s.wants.kernel {
		return false
	}
	if release := releaseInPath(path); s.wants.release != "" && release != "" && release != s.wants.release {
		if isKernelName(base) && len(s.others) < maxAttempts && !slices.Contains(s.others, release) {
			s.others = append(s.others, release)
		}
		return false
	}
	if isKernelName(base) {
		return true
	}
	head, err := content.head()
	return err == nil && (isBzImage(head) || isZboot(head) || isRaw(head) && len(head) >= 24)
}

// isKernelName says whether a file is called as kernel images are.
func isKernelName(base string) bool {
	for _, suffix := range []string{".map", ".h", ".lds", ".hmac", ".py", ".sig", ".md5", ".c", ".o", ".debug.txt"} {
		if strings.HasSuffix(base, suffix) {
			return false
		}
	}
	for _, prefix := range []string{"vmlinu", "bzImage", "zImage", "uImage", "Image", "kernel-", "kernel8", "kernel7"} {
		if strings.HasPrefix(base, prefix) {
			return true
		}
	}
	return base == "kernel" || base == "boot.img" || strings.HasSuffix(base, ".btf")
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
func releaseInPath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if part == "modules" && i+2 < len(parts) {
			if release := releaseOf(parts[i+1]); release != "" {
				return release
			}
		}
	}
	base := parts[len(parts)-1]
	for _, prefix := range []string{"vmlinuz-", "vmlinux-", "vmlinux.", "Image-", "kernel-"} {
		if rest, ok := strings.CutPrefix(base, prefix); ok {
			return releaseOf(strings.TrimSuffix(rest, ".btf"))
		}
	}
	if release, ok := strings.CutSuffix(base, ".btf"); ok { // BTFHub's archives
		return releaseOf(release)
	}
	return ""
}

// cleanPath drops what archives put in front of paths.
func cleanPath(path string) string {
	return strings.TrimLeft(strings.TrimPrefix(path, "./"), "/")
}

// path returns the path of the innermost layer that has one.
func (s *search) path() string {
	for i := len(s.layers) - 1; i >= 0; i-- {
		if s.layers[i].Path != "" {
			return s.layers[i].Path
		}
	}
	return ""
}
