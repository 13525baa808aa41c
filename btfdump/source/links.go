package source

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// Limits on links: a file system follows at most 40 (path_resolution(7)), and of
// an archive that has more than some, the rest leads nowhere.
const (
	maxFollowed = 40
	maxLinks    = 1 << 16
)

// links are those of an archive. They lead nowhere out of it: its root is the
// root.
type links struct {
	targets map[string]string // paths from the root
}

// add notes a link. Of two with one path, the first counts.
func (l *links) add(name string, m member) {
	if l.targets == nil {
		l.targets = map[string]string{}
	}
	if _, ok := l.targets[name]; ok || len(l.targets) >= maxLinks || len(name)+len(m.link) > 4096 {
		return
	}
	target := m.link
	if !m.hard && !strings.HasPrefix(target, "/") {
		// Not cleaned: that of a/../b is not b where a is a link itself.
		dir, _ := path.Split(name)
		target = dir + target
	}
	l.targets[name] = target
}

// resolve follows all links in a path.
func (l *links) resolve(name string) (string, bool) {
	return resolve(name, func(name string) (string, bool) {
		target, ok := l.targets[name]
		return target, ok
	})
}

// resolve follows the links in a path, of which link returns the targets, from
// the root or with a leading slash. ok is false where they lead in a circle.
func resolve(name string, link func(string) (string, bool)) (resolved string, ok bool) {
	rest := strings.Split(name, "/")
	for followed := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if resolved = path.Dir(resolved); resolved == "." {
				resolved = "" // the root is its own parent
			}
			continue
		}
		next := path.Join(resolved, part)
		target, isLink := link(next)
		if !isLink {
			resolved = next
			continue
		}
		if followed++; followed > maxFollowed {
			return "", false
		}
		resolved = ""
		rest = append(strings.Split(target, "/"), rest...)
	}
	return resolved, true
}

// settle follows those links of an archive that are called as kernels are. A
// kernel that was found by another name lies where the link does, too. What
// leads to files that nothing was known of is returned, by those files' paths.
func (l *links) settle(c *collection) (lost map[string]candidate) {
	lost = map[string]candidate{}
	for _, name := range slices.Sorted(maps.Keys(l.targets)) {
		base := path.Base(name)
		if _, isModule := moduleName(base); isModule || !c.s.wants.kernel || !isKernelName(withoutPacking(base)) {
			continue
		}
		at, ok := placeOf(name)
		target, followed := l.resolve(name)
		if !ok || !followed || target == "" {
			continue
		}
		link := candidate{path: name, release: releaseInPath(name), place: at}
		known := false
		for i := range c.s.found {
			f := &c.s.found[i]
			if inner, ok := strings.CutPrefix(f.at, target+":"); !ok || inner != "" || f.Module != "" {
				continue
			}
			known = true
			if class := max(at.class, c.s.known.place.class); class < f.place.class {
				f.place = place{class, at.rank}
			}
			if f.Release == "" {
				f.Release = link.release
			}
		}
		_, called := placeOf(target)
		if _, ok := lost[target]; !ok && !known && !called && !c.s.otherRelease(link, true) {
			lost[target] = link
		}
	}
	return lost
}
