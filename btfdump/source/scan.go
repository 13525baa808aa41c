package source

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/btfgen/btfgen/btfdump"
)

// What to look for in an image whose header does not tell where things are.
const (
	scanBTF    = 1 << iota // BTF as it is
	scanPacked             // compressed data that holds a kernel
)

// scan looks for BTF anywhere in an input, or for compressed data with BTF in
// it. Much else may lie in an image: modules and BPF objects in an initrd, and
// BPF objects in the kernel itself. So what is certainly a kernel's is taken where
// it stands, and otherwise the best of all that there is.
func scan(s *search, in *input, what int) error {
	data, err := in.bytes(s.budget)
	if err != nil {
		return err
	}
	if err := s.budget.spend(int64(len(data))); err != nil {
		return err
	}
	s.known.searched, s.known.scanned = true, true
	banner := bannerIn(data)
	if s.known.release == "" {
		s.known.release = banner
	}
	left := leftover{failed: s.nothingIn(data, banner)}
	archives := cpioArchives(data)
	if what&scanBTF != 0 {
		if offset, raw, rank := bestBTF(data, archives); raw != nil {
			// A copy, so that the rest of the image can be forgotten.
			found := s.complete(Found{Raw: bytes.Clone(raw), Layers: []Layer{{Format: "BTF", Offset: offset, Size: int64(len(raw))}}})
			if rank == rankKernel || what&scanPacked == 0 && rank >= rankWhole {
				s.give(found)
				return nil
			}
			left.found, left.rank, left.direct = []Found{found}, rank, true
		}
	}
	if what&scanPacked != 0 {
		if done, err := s.scanPayloads(in, data, archives, &left); done || err != nil {
			return err
		}
	}
	var without *withoutBTFError
	isKernel := errors.As(left.failed, &without)
	switch {
	case len(left.found) == 0, left.rank <= rankProgram && isKernel:
		return left.failed // a kernel without BTF may have that of a BPF object in it
	case left.rank == rankProgram:
		// What lies in an image is not what was named: nobody who gives an image
		// means a program in its initrd.
		return fmt.Errorf("%w: it holds a BPF object's (in what is at byte %d) and no kernel's: unpack that if it is meant", ErrNoBTF, left.found[0].Layers[len(s.layers)].Offset)
	case left.rank == rankSplit:
		return fmt.Errorf("%w: it holds modules (%s among them) and no kernel", ErrNoBTF, quotedOr(left.found[0].Module, "one without a name"))
	}
	for _, f := range left.found {
		s.give(f)
	}
	return nil
}

// A leftover is the best that a scan has found as yet and is not certain of.
type leftover struct {
	found  []Found
	rank   rank
	direct bool // it is in no archive

	failed   error // what it means if there is nothing
	unpacked int64 // how many bytes came of what failed with it
}

// better says whether something is better than what is left.
func (l *leftover) better(r rank, direct bool) bool {
	return len(l.found) == 0 || r > l.rank || r == l.rank && direct && !l.direct
}

// A withoutBTFError says that a kernel was found, and that it has no BTF.
type withoutBTFError struct{ release, seen, instead string }

func (e *withoutBTFError) Error() string {
	kernel := "this kernel"
	if e.release != "" {
		kernel += ", Linux " + e.release + ","
	}
	return fmt.Sprintf("%v: %s%s was built without CONFIG_DEBUG_INFO_BTF=y%s", ErrNoBTF, e.seen, kernel, e.instead)
}

func (e *withoutBTFError) Unwrap() error { return ErrNoBTF }

// unpackedImages are the formats of kernels that stand in them as they are.
var unpackedImages = []string{"arm64 Image", "riscv64 Image"}

// nothingIn is the error of a scan that finds nothing. banner is the release
// that the kernel tells, if the input is one.
func (s *search) nothingIn(data []byte, banner string) error {
	format := s.layers[len(s.layers)-1].Format
	switch {
	case banner != "" || slices.Contains(unpackedImages, format):
		return &withoutBTFError{release: banner}
	case format != "image":
		return fmt.Errorf("%w: nothing in it looks like BTF or a compressed kernel", ErrNoBTF)
	}
	if text := describeText(data); text != "" {
		return &TextError{text}
	}
	return fmt.Errorf("%w: the input starts with % x, which no format that btfgen knows does, and nothing in it looks like BTF or a compressed kernel", ErrNoBTF, data[:min(len(data), 4)])
}

// bannerIn returns the release from the text that /proc/version shows, which
// stands in the kernel's read-only data: "Linux version 6.12.9-amd64 (...".
func bannerIn(data []byte) string {
	banner := []byte("Linux version ")
	for range maxAttempts {
		i := bytes.Index(data, banner)
		if i < 0 {
			break
		}
		data = data[i+len(banner):]
		if release := releaseOf(string(data[:min(len(data), 200)])); release != "" {
			return release
		}
	}
	return ""
}

// bestBTF returns that BTF in an image, outside of the given archives, which is
// most like a kernel's, where it is, and its rank. Of one rank, the largest is a kernel's; those of the BPF programs
// that it comes with are small. What only looks like BTF fails the checks, first
// of the header and then of all types.
func bestBTF(data []byte, archives [][2]int) (offset int64, raw []byte, top rank) {
	checks := 0
	for i := 0; i+24 <= len(data) && checks < maxAttempts; {
		next := nextBTF(data[i:])
		if next < 0 {
			break
		}
		i += next
		if end := archiveAround(archives, i); end > i {
			i = end
			continue
		}
		if size := claimedSize(data[i:]); (size > len(raw) || size > 0 && top < rankKernel) && !isSplit(data[i:i+size]) {
			checks++
			if view, err := btfdump.New(data[i : i+size]); err == nil {
				if r := rankOf(view); r > top || r == top && size > len(raw) {
					offset, raw, top = int64(i), data[i:i+size], r
				}
				i += size
				continue
			}
		}
		i += 2
	}
	return offset, raw, top
}

// nextBTF returns the offset of the next magic number and version of BTF, or -1.
func nextBTF(data []byte) int {
	little := bytes.Index(data, []byte{0x9f, 0xeb, 1})
	if little >= 0 {
		data = data[:little]
	}
	if big := bytes.Index(data, []byte{0xeb, 0x9f, 1}); big >= 0 {
		return big
	}
	return little
}

// claimedSize returns how long the BTF at the start of data is by its header, 0
// if that is no credible header, or data has less.
func claimedSize(data []byte) int {
	if len(data) < 24 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 0xeb {
		order = binary.BigEndian
	}
	word := func(i int) uint64 { return uint64(order.Uint32(data[i:])) }
	length := word(4)
	end := max(word(8)+word(12), word(16)+word(20))
	if length >= 32 && len(data) >= 32 {
		end = max(end, word(24)+word(28))
	}
	if length < 24 || length > 256 || word(12) == 0 || word(20) == 0 || length+end > uint64(len(data)) {
		return 0
	}
	return int(length + end)
}

// A payloadMagic is how compressed data may start.
type payloadMagic struct {
	magic string
	match func(head []byte) bool
}

var payloadMagics = []payloadMagic{
	{gzipMagic, isGzip},
	{xzMagic, prefix(xzMagic)},
	{zstdMagic, isZstd},
	{lz4LegacyMagic, isLZ4},
	{lz4Magic, isLZ4},
	{bzip2Magic, isBzip2},
	{lzopMagic, prefix(lzopMagic)},
	{lzmaMagic, isLZMA},
}

// payloads returns the offsets of what looks like compressed data, outside of the
// given archives, and whether that is all of them: where there are too many, it is
// those with the most behind them, for a kernel is larger than a module.
func payloads(data []byte, archives [][2]int) (offsets []int, all bool) {
	for _, m := range payloadMagics {
		hits := 0
		for i := 0; hits < maxHits; {
			next := bytes.Index(data[i:], []byte(m.magic))
			if next < 0 {
				break
			}
			if i += next; m.match(data[i:min(len(data), i+headSize)]) {
				offsets = append(offsets, i)
				hits++
			}
			i++
		}
	}
	slices.Sort(offsets)
	offsets = slices.DeleteFunc(offsets, func(offset int) bool {
		return archiveAround(archives, offset) > offset
	})
	if len(offsets) <= maxAttempts {
		return offsets, true
	}
	room := make(map[int]int, len(offsets))
	for i, offset := range offsets {
		end := len(data)
		if i+1 < len(offsets) {
			end = offsets[i+1]
		}
		room[offset] = end - offset
	}
	slices.SortStableFunc(offsets, func(a, b int) int { return cmp.Compare(room[b], room[a]) })
	offsets = offsets[:maxAttempts]
	slices.Sort(offsets)
	return offsets, false
}

// maxHits is how many places are noted that start like data of one format.
const maxHits = 1 << 16

// scanPayloads opens what looks like compressed data, in the order in which it
// stands, until there is a kernel's BTF in one; and then archives. Of what it
// leaves, the best is left. done says that it has given what it found.
func (s *search) scanPayloads(in *input, data []byte, archives [][2]int, left *leftover) (done bool, err error) {
	offsets, all := payloads(data, archives)
	for _, offset := range offsets {
		if offset == 0 && len(s.layers) > 1 {
			// What has the whole input has been tried.
			continue
		}
		if err := s.budget.attempt(); err != nil {
			return false, err
		}
		if done, err := s.scanPart(in.section(int64(offset), int64(len(data)-offset)), int64(offset), left); done || err != nil {
			return done, err
		}
	}
	for _, a := range archives {
		if a[0] == 0 && len(s.layers) > 1 {
			continue
		}
		if err := s.budget.attempt(); err != nil {
			return false, err
		}
		if done, err := s.scanPart(in.section(int64(a[0]), int64(a[1]-a[0])), int64(a[0]), left); done || err != nil {
			return done, err
		}
	}
	if !all && left.rank < rankWhole {
		return false, fmt.Errorf("%w: gave up after %d places that looked like compressed data", ErrNoBTF, maxAttempts)
	}
	return false, nil
}

// scanPart looks into a part of an image.
func (s *search) scanPart(part *input, offset int64, left *leftover) (done bool, err error) {
	before, each, spent := s.found, s.each, s.budget.spent
	s.found, s.each = nil, nil
	failed := s.descend("", offset, part)
	found := s.found
	s.found, s.each = before, each

	if !s.wants.kernel {
		s.found = append(s.found, found...)
		return len(found) > 0, tooLarge(failed)
	}
	if len(found) > 0 {
		found, r := best(found)
		direct := !slices.ContainsFunc(found[0].Layers[len(s.layers):], func(l Layer) bool { return slices.Contains(archiveFormats, l.Format) })
		if r == rankKernel && direct {
			for _, f := range found {
				s.give(f)
			}
			return true, nil
		}
		if left.better(r, direct) {
			left.found, left.rank, left.direct = found, r, direct
		}
	}
	if err := tooLarge(failed); err != nil {
		return false, err
	}
	// Of what fails, that is told which was most like a kernel: one without BTF,
	// or what most came of before it was found to be cut short.
	const telling = 64 << 10
	var without *withoutBTFError
	switch unpacked := s.budget.spent - spent; {
	case errors.As(left.failed, &without) && left.unpacked > 0:
	case errors.As(failed, &without):
		left.failed, left.unpacked = failed, unpacked
	case failed != nil && !errors.Is(failed, ErrNoBTF) && unpacked >= max(telling, left.unpacked+1):
		left.failed, left.unpacked = fmt.Errorf("what is at byte %d: %w", offset, failed), unpacked
	}
	return false, nil
}

// archiveFormats are those in which files stand by name: what is a kernel there
// may be another than that of the image around it.
var archiveFormats = []string{"cpio", "tar", "deb", "rpm", "zip"}

// tooLarge returns errors that end a scan.
func tooLarge(err error) error {
	if errors.Is(err, ErrTooLarge) {
		return err
	}
	return nil
}

// cpioArchives returns where cpio archives start and end that lie uncompressed in
// an image, as an initrd may. Files in them are not what the image is made of:
// they are chosen by their names.
func cpioArchives(data []byte) (archives [][2]int) {
	const headerSize, magic = 110, "07070"
	for i := 0; ; {
		next := bytes.Index(data[i:], []byte(magic))
		if next < 0 {
			return archives
		}
		start := i + next
		at, files := start, 0
		for at+headerSize <= len(data) && isCpio(data[at:]) {
			size, okSize := hex32(data[at+54:])
			nameSize, okName := hex32(data[at+94:])
			name := at + headerSize
			if !okSize || !okName || nameSize == 0 || nameSize > 4096 || name+nameSize > len(data) {
				break
			}
			files++
			last := string(data[name:name+nameSize]) == "TRAILER!!!\x00"
			at = start + (name-start+nameSize+3)&^3
			if at > len(data) || size > len(data)-at {
				at = len(data) // it is cut short
				break
			}
			if at = start + (at-start+size+3)&^3; last {
				break
			}
		}
		if at = min(at, len(data)); files > 0 {
			archives = append(archives, [2]int{start, at})
		}
		i = max(at, start+len(magic))
	}
}

// archiveAround returns where the archive ends that has the byte at offset, 0 if
// none has it.
func archiveAround(archives [][2]int, offset int) int {
	i, _ := slices.BinarySearchFunc(archives, offset, func(a [2]int, offset int) int { return cmp.Compare(a[1], offset+1) })
	if i < len(archives) && archives[i][0] <= offset {
		return archives[i][1]
	}
	return 0
}

// hex32 reads the eight hexadecimal digits of a number in cpio's header.
func hex32(text []byte) (n int, ok bool) {
	value, err := strconv.ParseUint(string(text[:8]), 16, 31)
	return int(value), err == nil
}
