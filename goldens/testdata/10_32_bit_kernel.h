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

#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif

typedef unsigned int __kernel_size_t;
union empty_union {
	struct {
		char: 8, : 8, : 8, : 8;
	};
} __co_re;

struct gap {
	int before;
	int: 32, : 32, : 32;
	struct list_head *after;
} __co_re;

struct gaps {
	struct list_head *next;
	struct gap gap;
	int tail;
} __co_re;

struct list_head {
	struct list_head *next;
	struct list_head *prev;
} __co_re;

typedef __SIZE_TYPE__ size_t;
typedef __kernel_size_t size_t___2;
struct no_pointers {
	int a;
	unsigned int b;
	long long unsigned int c;
	size_t___2 d;
} __co_re;

union packed_union {
	struct list_head *next;
	int l;
	struct {
		char: 8, : 8, : 8, : 8, : 8;
	};
} __attribute__((packed)) __co_re;

struct packed_holder {
	struct list_head *next;
	union packed_union u;
	int tail;
} __attribute__((packed)) __co_re;

union padded_union {
	struct list_head *next;
	int l;
	struct {
		int: 32, : 32, : 32;
	};
} __co_re;

struct short_gap {
	char c;
	char: 8, : 8, : 8, : 8, : 8, : 8, : 8, : 8, : 8, : 8, : 8, : 8, : 8, : 8, : 8, : 8;
	char: 8, : 8, : 8, : 8, : 8, : 8;
	unsigned char d;
} __co_re;

struct task {
	int l;
	struct list_head tasks;
	unsigned int tail;
} __co_re;

union three_bytes {
	struct {
		char: 8, : 8, : 8;
	};
} __co_re;

#undef __co_re

#endif /* __VMLINUX_H__ */
