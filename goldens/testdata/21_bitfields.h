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

struct across {
	short unsigned int a: 10;
	short unsigned int b: 10;
} __attribute__((packed, aligned(2))) __co_re;

struct flags {
	unsigned int a: 3;
	char: 2;
	unsigned int b: 27;
	char: 8;
	unsigned char c: 2;
	short unsigned int d: 9;
} __co_re;

struct legacy {
	char: 4;
	unsigned int x: 12;
} __co_re;

#undef __co_re

#endif /* __VMLINUX_H__ */
