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
	maxWanted   = 1 << 10 // that are called as kernels are
)

// links are those of an archive. They lead nowhere out of it: its root is the
// root.
type links struct {
	targets map[string]string    // paths from the root
	wanted  map[string]candidate // what is to come, by its path
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

// want notes what a link leads to that is called as kernels are, where that has
// another name.
func (l *links) want(c *collection, name string) {
	if len(l.wanted) >= maxWanted || l.targets[name] == "" {
		return
	}
	if link, target, ok := l.kernel(c, name); ok {
		if l.wanted == nil {
			l.wanted = map[string]candidate{}
		}
		link.path = target
		l.wanted[target] = link
	}
}

// kernel returns what a link that is called as kernels are stands for, and where
// it leads.
func (l *links) kernel(c *collection, name string) (link candidate, target string, ok bool) {
	base := path.Base(name)
	if _, isModule := moduleName(base); isModule || !c.s.wants.kernel || !isKernelName(withoutPacking(base)) {
		return candidate{}, "", false
	}
	link = candidate{path: name, release: releaseInPath(name)}
	if link.place, ok = placeOf(name); !ok {
		return candidate{}, "", false
	}
	target, ok = l.resolve(name)
	return link, target, ok && target != "" && !c.s.otherRelease(link, true)
}

// settle follows those links of an archive that are called as kernels are. A
// kernel that was found by another name lies where the link does, too. What
// leads to files that nothing was known of is returned, by those files' paths.
func (l *links) settle(c *collection) (lost map[string]candidate) {
	lost = map[string]candidate{}
	for _, name := range slices.Sorted(maps.Keys(l.targets)) {
		if len(lost) >= maxWanted {
			break
		}
		link, target, ok := l.kernel(c, name)
		if !ok {
			continue
		}
		known := false
		for i := range c.s.found {
			f := &c.s.found[i]
			if f.at != target+":" || f.Module != "" {
				continue
			}
			known = true
			if class := max(link.place.class, c.s.known.place.class); class < f.place.class {
				f.place = place{class, link.place.rank}
			}
			if f.Release == "" {
				f.Release = link.release
			}
		}
		if _, called := placeOf(target); !called && !known && lost[target].path == "" {
			link.path = target
			lost[target] = link
		}
	}
	return lost
}
