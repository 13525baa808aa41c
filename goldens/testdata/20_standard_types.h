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

typedef __INT64_TYPE__ int64_t;
typedef __SIZE_TYPE__ size_t;
typedef __UINT64_TYPE__ uint64_t;
typedef __UINT8_TYPE__ uint8_t;
typedef long unsigned int ulong;
typedef __UINTPTR_TYPE__ uintptr_t;
typedef __WCHAR_TYPE__ wchar_t;
typedef short unsigned int wchar_t___2;
#undef __co_re

#endif /* __VMLINUX_H__ */
