# The native engine's part of bnbench_core.

target_sources(bnbench_core PRIVATE
  bnbench/ensemble.cc
  bnbench/ensemble_dispatch.cc
  bnbench/ensemble_gradients.cc
  bnbench/ensemble_images.cc
  bnbench/ensemble_kernels_portable.cc
  bnbench/ensemble_network.cc
  bnbench/ensemble_order.cc
  bnbench/ensemble_trial.cc
)

# Optimized in every build type: unoptimized, the tests would take minutes. Of -ffast-math only what
# leaves NaNs and infinities alone, for they are how a trial is seen to diverge.
set(_kernel_options -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math)
set_source_files_properties(bnbench/ensemble_kernels_portable.cc PROPERTIES
  COMPILE_OPTIONS "${_kernel_options}")

# What is built here also runs on processors without these instructions: ensemble_dispatch.cc asks
# the processor which of the files it may use.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  target_sources(bnbench_core PRIVATE
    bnbench/ensemble_kernels_avx2.cc
    bnbench/ensemble_kernels_avx512.cc)
  set(_avx2 -mavx2 -mfma -mbmi -mbmi2)
  set_source_files_properties(bnbench/ensemble_kernels_avx2.cc PROPERTIES
    COMPILE_OPTIONS "${_kernel_options};${_avx2}")
  set_source_files_properties(bnbench/ensemble_kernels_avx512.cc PROPERTIES
    COMPILE_OPTIONS
      "${_kernel_options};${_avx2};-mavx512f;-mavx512dq;-mavx512bw;-mavx512vl;-mprefer-vector-width=512")
  set_source_files_properties(bnbench/ensemble_dispatch.cc PROPERTIES
    COMPILE_DEFINITIONS BNBENCH_X86_KERNELS)
endif()
