package gogen

// initialisms are words that Go programs write in capitals (see the Go wiki's
// code review comments), and those that anyone who reads kernel structs knows.
var initialisms = wordSet(
	"acl", "api", "ascii", "bpf", "btf", "cpu", "crc", "dma", "dns", "eof", "fd", "gid", "gpu", "http", "https",
	"icmp", "id", "io", "ip", "ipc", "irq", "lru", "lsm", "mac", "mtu", "nic", "nmi", "numa", "pci", "pid", "qos", "ram",
	"rcu", "rpc", "rtt", "sctp", "skb", "smp", "tcp", "tgid", "tls", "ttl", "tty", "udp", "uid", "uri", "url", "usb",
	"utf8", "uuid", "vfs", "vlan", "vm", "xdp", "xml",
)

// spellings are words that have capitals inside.
var spellings = map[string]string{"ipv4": "IPv4", "ipv6": "IPv6"}

func wordSet(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// appendCamel appends the exported Go name for a C identifier: task_struct
// becomes TaskStruct, TCP_ESTABLISHED becomes TCPEstablished.
//
// Words are what underscores separate. A word in capitals is taken for one in
// small letters; others keep the capitals they have. Initialisms are written in
// capitals, but not before a single letter: pid_t becomes PidT. The result
// starts with a capital letter and has no underscore except between two digits
// (v1_2 becomes V1_2, so that it differs from v12).
func appendCamel(b []byte, c string) []byte {
	start := len(b)
	for len(c) > 0 {
		if c[0] == '_' {
			c = c[1:]
			continue
		}
		end := 1
		for end < len(c) && c[end] != '_' {
			end++
		}
		word := c[:end]
		c = c[end:]
		if isDigit(word[0]) {
			switch {
			case len(b) == start:
				b = append(b, 'X')
			case isDigit(b[len(b)-1]):
				b = append(b, '_')
			}
		}
		b = appendWord(b, word, len(c) == 2 || len(c) > 2 && c[2] == '_')
	}
	if len(b) == start { // underscores alone
		b = append(b, 'X')
	}
	return b
}

// appendWord appends one word; beforeLetter says that a word of a single letter
// follows.
func appendWord(b []byte, word string, beforeLetter bool) []byte {
	start := len(b)
	shout := true // has no small letter
	for i := range len(word) {
		if c := word[i]; c >= 'a' && c <= 'z' {
			shout = false
			break
		}
	}
	for i := range len(word) {
		c := word[i]
		if shout && c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	w := b[start:]
	if len(w) <= maxInitialism && !beforeLetter {
		if initialisms[string(w)] {
			upper(w)
			return b
		}
		if s, ok := spellings[string(w)]; ok {
			return append(b[:start], s...)
		}
	}
	upper(w[:1])
	return b
}

const maxInitialism = 5

func upper(b []byte) {
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - ('a' - 'A')
		}
	}
}

func camel(c string) string { return string(appendCamel(nil, c)) }
