package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
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

// isCpio knows the "new" cpio format by its magic, without and with checksums
// (cpio(5)).
func isCpio(head []byte) bool { return prefix("070701")(head) || prefix("070702")(head) }

func openCpio(s *search, in *input) error {
	r := cpio.NewReader(in.reader())
	return s.members(func() (member, error) {
		for {
			header, err := r.Next()
			if err != nil {
				return member{}, err
			}
			switch {
			case header.Size < 0: // the package reads "-0000001" as a number
				return member{}, errors.New("a member's size is negative")
			case header.Mode&^cpio.ModePerm == cpio.TypeSymlink && header.Linkname != "":
				return member{path: header.Name, link: header.Linkname}, nil
			// Of the names of one file all but the last have no content.
			case header.Mode.IsRegular() && header.Size > 0:
				return member{path: header.Name, size: header.Size, r: r}, nil
			}
		}
	}, nil)
}

// A member is a file of an archive, or a link in it.
type member struct {
	path string
	size int64
	r    io.Reader // the content
	in   *input    // the same where every byte can be reached; else nil

	shared bool // other members may have the same bytes

	link string // where it leads; "" for a file
	hard bool   // from the archive's root, as hard links do
}

// members opens those files of an archive that may be what is looked for. next
// returns the next one. again, if it is not nil, starts over, for files that
// only a link behind them has shown to be meant.
func (s *search) members(next func() (member, error), again func() func() (member, error)) error {
	s.known.searched = true
	c := &collection{s: s}
	var links links
	if err := c.members(next, &links, nil); err != nil {
		return err
	}
	lost := links.settle(c)
	switch {
	case len(lost) == 0 || len(s.found) > 0:
	case again == nil && c.files == 0:
		target := slices.Sorted(maps.Keys(lost))[0]
		return fmt.Errorf("%w: a link that is called as kernels are leads to %s, which is not in the archive or stands before the link: unpack the archive and give the directory", ErrNoBTF, quoted(target))
	case again != nil:
		if err := c.members(again(), nil, lost); err != nil {
			return err
		}
	}
	if !s.wants.kernel {
		return c.end("the archive has no modules in it")
	}
	return c.end("the archive has no kernel image in it (looked for boot/vmlinuz-*, lib/modules/*/vmlinuz and the like; Debian has its kernels of 7.2 and later in linux-binary-*, and their modules in linux-modules-*, which is for -m)")
}

// members opens the candidates among the members of an archive, or those that
// links have shown to be some.
func (c *collection) members(next func() (member, error), links *links, lost map[string]candidate) error {
	s := c.s
	var buffer [headSize]byte
	for n := 0; !s.done(); n++ {
		m, err := next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d files: %w", n, err)
		}
		name := cleanPath(m.path)
		if m.link != "" {
			if links != nil {
				links.add(name, m)
				links.want(c, name)
			}
			continue
		}
		read := -1
		head := func() []byte {
			switch {
			case m.in != nil:
				head, _ := m.in.head()
				return head
			case read < 0:
				read, _ = io.ReadFull(m.r, buffer[:min(m.size, headSize)])
			}
			return buffer[:read]
		}
		var found candidate
		ok := false
		if lost == nil {
			if found, ok = c.candidate(name, head); !ok && !found.module {
				found, ok = links.wanted[name]
			}
		} else {
			found, ok = lost[name]
		}
		if !ok {
			continue
		}
		if err := c.try(found, func() error {
			content := m.in
			switch {
			case content != nil && m.shared:
				if err := s.budget.spend(content.size); err != nil {
					return err
				}
			case content != nil:
			case read > 0:
				content = streamInput(io.MultiReader(bytes.NewReader(buffer[:read]), m.r), m.size)
			default:
				content = streamInput(m.r, m.size)
			}
			return s.descend(name, -1, content)
		}); err != nil {
			return err
		}
	}
	return nil
}
