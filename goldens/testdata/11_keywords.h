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

#ifdef __cplusplus
#define class class_
#define namespace namespace_
#define new new_
#define private private_
#define this this_
#endif

#if !defined(__bool_true_false_are_defined) && !(defined(__cplusplus) || __STDC_VERSION__ >= 202311L || __STDC_VERSION__ >= 202000L && \
	(defined(__clang__) ? __clang_major__ >= 15 : __GNUC__ >= 13))
enum {
	false = 0,
	true = 1,
};
#endif

#if !defined(__bool_true_false_are_defined) && !(defined(__cplusplus) || __STDC_VERSION__ >= 202311L || __STDC_VERSION__ >= 202000L && \
	(defined(__clang__) ? __clang_major__ >= 15 : __GNUC__ >= 13))
typedef _Bool bool;
#endif
struct class {
	int new;
	int private;
	int this;
	int namespace;
} __co_re;

#ifdef __cplusplus
#undef class
#undef namespace
#undef new
#undef private
#undef this
#endif
#undef __co_re

#endif /* __VMLINUX_H__ */
