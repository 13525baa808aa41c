#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#if !defined(BPF_NO_PRESERVE_ACCESS_INDEX) && !defined(__cplusplus) && __has_attribute(preserve_access_index)
#define __co_re __attribute__((preserve_access_index))
#else
#define __co_re
#endif
#if !__has_attribute(btf_type_tag)
#define btf_type_tag(x)
#endif

struct bits {
	unsigned int a: 3;
	char: 5;
	char: 8;
	char: 7;
	unsigned int b: 4;
	char: 5;
	int: 32;
} __co_re;

union choice {
	int a;
} __attribute__((aligned(8))) __co_re;

struct first {
	long long: 64;
	int a;
	int: 32;
} __co_re;

struct holder {
	int c;
	union {
		int x;
	} __attribute__((aligned(8))) inner;
} __attribute__((packed, aligned(4))) __co_re;

struct last {
	int a;
	int: 32;
	long long: 64;
} __co_re;

union three_bytes {
	struct {
		short: 16;
		char: 8;
	};
} __co_re;

#undef __co_re

#endif /* __VMLINUX_H__ */
