// Whether this is a build with sanitizers, which need terabytes of addresses.
#ifndef BNBENCH_SANITIZERS_H_
#define BNBENCH_SANITIZERS_H_

namespace bnbench {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kIsSanitized = true;  // as GCC says it
#elif defined(__has_feature)
inline constexpr bool kIsSanitized =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool kIsSanitized = false;
#endif

}  // namespace bnbench

#endif  // BNBENCH_SANITIZERS_H_
