package source

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"path"
	"slices"
	"strings"
)

// Container images
//
// An image is a list of layers, each a tar archive, which lie upon each other
// (OCI image format specification, layer.md). A file of an upper layer hides
// that of the same path below, and a whiteout, an empty file called .wh.NAME,
// hides NAME. The layers are read from the uppermost down, so that a kernel
// that was removed or replaced is never looked at. The files that tell which
// layers there are stand in an archive, or a directory, of their own.

// Limits on images. The largest have 127 layers (overlayfs has no more).
const (
	maxManifest = 4 << 20 // bytes of a JSON file
	maxImages   = 64      // manifests: platforms and tags
	maxLayers   = 512
)

// A descriptor is how the files of an image refer to each other (descriptor.md).
type descriptor struct {
	MediaType string       `json:"mediaType"`
	Digest    string       `json:"digest"`
	Layers    []descriptor `json:"layers"`    // of a manifest
	Manifests []descriptor `json:"manifests"` // of an index
}

// layered looks into the layers of an image, of which open returns the files by
// their names, nil where there is none. ok is false if it is no image.
func (s *search) layered(open func(name string) *input) (ok bool, err error) {
	images, err := imagesOf(s, open)
	if err != nil || images == nil {
		return err != nil, err
	}
	s.layers[len(s.layers)-1].Format = "container image"
	c := &collection{s: s}
	missing := ""
	for _, layers := range images {
		var over overlay
		var links links
		for i := len(layers) - 1; i >= 0 && !s.done(); i-- {
			in := open(layers[i])
			if in == nil {
				missing = layers[i] // as those of other platforms are, often
				continue
			}
			if err := s.layer(c, in, &over, &links, layers[i]); err != nil {
				return true, fmt.Errorf("layer %s: %w", quoted(layers[i]), err)
			}
		}
		links.settle(c)
	}
	nothing := "the image has no kernel in it"
	if missing != "" {
		nothing += fmt.Sprintf(", as far as it is here: its layer %s is missing", quoted(missing))
	}
	return true, c.end(nothing)
}

// imagesOf returns the names of the layers of all images, the lowest first; nil
// if there are no images.
func imagesOf(s *search, open func(name string) *input) ([][]string, error) {
	if open("oci-layout") != nil {
		if images, err := ociImages(s, open, "index.json", 0); images != nil || err != nil {
			return images, err
		}
	}
	// The list of docker save (moby's image/tarexport).
	var saved []struct {
		Layers []string
	}
	ok, err := readJSON(s, open, "manifest.json", &saved)
	if syntax := (*notJSONError)(nil); errors.As(err, &syntax) {
		// Or the manifest itself, with the layers beside it (skopeo's dir:). Other
		// things have a file of this name, too.
		var manifest descriptor
		if ok, err := readJSON(s, open, "manifest.json", &manifest); !ok || err != nil && errors.As(err, &syntax) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		layers, err := manifest.layerFiles("manifest.json", func(d descriptor) string { return path.Base(d.file()) })
		if len(layers) == 0 {
			return nil, err
		}
		return [][]string{layers}, err
	}
	if !ok || err != nil {
		return nil, err
	}
	var images [][]string
	for _, image := range saved[:min(len(saved), maxImages)] {
		if len(image.Layers) > maxLayers {
			return nil, fmt.Errorf("manifest.json: an image has more than %d layers", maxLayers)
		}
		if len(image.Layers) > 0 && !slices.ContainsFunc(images, func(other []string) bool { return slices.Equal(other, image.Layers) }) {
			images = append(images, image.Layers)
		}
	}
	return images, nil
}

// ociImages returns the layers of the images in an index, or of a manifest.
func ociImages(s *search, open func(name string) *input, name string, depth int) ([][]string, error) {
	var index descriptor
	ok, err := readJSON(s, open, name, &index)
	if err != nil || !ok {
		return nil, err
	}
	layers, err := index.layerFiles(name, descriptor.file)
	if err != nil {
		return nil, err
	}
	var images [][]string
	if len(layers) > 0 {
		images = append(images, layers)
	}
	const deepest = 4 // indexes in each other
	for _, d := range index.Manifests {
		file := d.file()
		if file == "" || depth == deepest || len(images) >= maxImages {
			continue
		}
		more, err := ociImages(s, open, file, depth+1)
		if err != nil {
			return nil, err
		}
		for _, image := range more {
			if !slices.ContainsFunc(images, func(other []string) bool { return slices.Equal(other, image) }) {
				images = append(images, image)
			}
		}
	}
	return images, nil
}

// layerFiles returns the names of the files of a manifest's layers. name is the
// manifest's.
func (d descriptor) layerFiles(name string, file func(descriptor) string) ([]string, error) {
	if len(d.Layers) > maxLayers {
		return nil, fmt.Errorf("%s: an image has more than %d layers", quoted(name), maxLayers)
	}
	var layers []string
	for _, layer := range d.Layers {
		// Attestations and other artifacts have layers too, which are no archives.
		if layer.file() != "" && (strings.Contains(layer.MediaType, "tar") || layer.MediaType == "") {
			layers = append(layers, file(layer))
		}
	}
	return layers, nil
}

// file returns the name of the file that a descriptor is of, "" if its digest is
// none.
func (d descriptor) file() string {
	algorithm, digest, ok := strings.Cut(d.Digest, ":")
	if !ok || algorithm == "" || digest == "" || strings.Trim(algorithm, "abcdefghijklmnopqrstuvwxyz0123456789+._-") != "" || !isHex(digest) || strings.HasPrefix(algorithm, ".") {
		return ""
	}
	return "blobs/" + algorithm + "/" + digest
}

// readJSON reads a file of an image. ok is false if there is none.
func readJSON(s *search, open func(name string) *input, name string, into any) (ok bool, err error) {
	in := open(name)
	if in == nil {
		return false, nil
	}
	raw, err := io.ReadAll(io.LimitReader(in.reader(), maxManifest+1))
	switch {
	case err != nil:
		return false, fmt.Errorf("%s: %w", quoted(name), err)
	case len(raw) > maxManifest:
		return false, fmt.Errorf("%s has more than %d bytes, which no manifest has", quoted(name), maxManifest)
	}
	// The files may be read again and again.
	if err := s.budget.spend(int64(len(raw))); err != nil {
		return false, err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, &notJSONError{name, err}
	}
	return true, nil
}

// A notJSONError is that of a file that should be a manifest.
type notJSONError struct {
	name string
	err  error
}

func (e *notJSONError) Error() string {
	return fmt.Sprintf("%s is no manifest of an image: %v", quoted(e.name), e.err)
}

// layer looks into one layer, below those that over has.
func (s *search) layer(c *collection, in *input, over *overlay, links *links, name string) error {
	if len(s.layers) >= maxDepth {
		return fmt.Errorf("%w: more than %d containers stand in each other", ErrNoBTF, maxDepth)
	}
	tarball, format, close, err := s.tarOf(in)
	if err != nil {
		return err
	}
	defer close()
	s.layers = append(s.layers, Layer{Format: format, Path: name, Offset: -1, Size: in.size})
	defer func() { s.layers = s.layers[:len(s.layers)-1] }()
	var here []hidden
	files := s.tarMembers(tarball, func(h *tar.Header) { here = append(here, over.of(h)) })
	err = c.members(func() (member, error) {
		for {
			m, err := files()
			if err != nil {
				return member{}, err
			}
			if p := cleanPath(m.path); !over.hides(p) && !strings.HasPrefix(path.Base(p), whiteout) {
				return m, nil
			}
		}
	}, links, nil)
	over.add(here)
	return err
}

// tarOf unpacks a layer, which may be compressed.
func (s *search) tarOf(in *input) (tarball *input, format string, close func(), err error) {
	head, err := in.head()
	if err != nil {
		return nil, "", nil, err
	}
	none := func() {}
	if isTar(head) || len(head) > 0 && strings.Trim(string(head), "\x00") == "" {
		return in, "tar", none, nil // of zeros only: it is empty
	}
	for _, c := range []struct {
		name string
		is   func([]byte) bool
		new  func(io.Reader, *budget) (io.Reader, error)
	}{{"gzip", isGzip, newGzip}, {"zstd", prefix(zstdMagic), newZstd}, {"xz", prefix(xzMagic), newXZ}, {"bzip2", isBzip2, newBzip2}} {
		if !c.is(head) {
			continue
		}
		windows := s.budget.windows
		r, err := c.new(in.reader(), s.budget)
		if err != nil {
			return nil, "", nil, fmt.Errorf("%s: its header is cut short or corrupt: %w", c.name, err)
		}
		end := func() {
			if closer, ok := r.(interface{ Close() }); ok {
				closer.Close()
			}
			s.budget.windows = windows
		}
		return streamInput(&unpacked{r: r, budget: s.budget}, -1), "tar in " + c.name, end, nil
	}
	return nil, "", nil, errors.New("it is no tar archive, compressed or not")
}

// whiteout is how the names of files begin that hide what is called like the
// rest, and opaque is one that hides all in its directory.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// An overlay knows what upper layers hide of those below. It has hashes of
// paths, for there may be a million of them.
type overlay struct {
	seed   maphash.Seed
	seeded bool
	paths  map[uint64]hiding
}

// hiding says what of a path is hidden.
type hiding uint8

const (
	hidesFile  hiding = 1 << iota // a file at the path
	hidesBelow                    // all that is in a directory at the path
)

type hidden struct {
	path uint64
	what hiding
}

func (o *overlay) hash(name string) uint64 {
	if !o.seeded {
		o.seed, o.seeded = maphash.MakeSeed(), true
	}
	return maphash.String(o.seed, name)
}

// of returns what something in a layer hides of the layers below.
func (o *overlay) of(h *tar.Header) hidden {
	name := cleanPath(h.Name)
	dir, base := path.Split(name)
	switch {
	case base == opaque:
		return hidden{o.hash(strings.TrimSuffix(dir, "/")), hidesBelow}
	case strings.HasPrefix(base, whiteout):
		return hidden{o.hash(dir + base[len(whiteout):]), hidesFile | hidesBelow}
	case h.Typeflag == tar.TypeDir: // directories become one
		return hidden{o.hash(name), hidesFile}
	}
	return hidden{o.hash(name), hidesFile | hidesBelow}
}

// add puts a layer above those that are still to come.
func (o *overlay) add(layer []hidden) {
	if o.paths == nil {
		o.paths = make(map[uint64]hiding, len(layer))
	}
	for _, h := range layer {
		o.paths[h.path] |= h.what
	}
}

// hides says whether a file is hidden by the layers above.
func (o *overlay) hides(name string) bool {
	if len(o.paths) == 0 {
		return false
	}
	if o.paths[o.hash(name)]&hidesFile != 0 {
		return true
	}
	for name != "" {
		dir, _ := path.Split(name)
		name = strings.TrimSuffix(dir, "/")
		if o.paths[o.hash(name)]&hidesBelow != 0 {
			return true
		}
	}
	return false
}
