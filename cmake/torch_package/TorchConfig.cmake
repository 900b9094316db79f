# Finds LibTorch in the PyTorch package MNEME_TORCH_PACKAGE, with or without CUDA; selected by -DTorch_DIR=<this folder>.
# PyTorch's own TorchConfig.cmake of a CUDA package requires a complete CUDA toolkit, although linking with LibTorch does not.
set(TORCH_INCLUDE_DIRS ${MNEME_TORCH_PACKAGE}/include ${MNEME_TORCH_PACKAGE}/include/torch/csrc/api/include)
foreach(library IN ITEMS torch torch_cpu c10)
  set(file ${MNEME_TORCH_PACKAGE}/lib/lib${library}.so)
  if(NOT EXISTS ${file})
    set(Torch_FOUND FALSE)
    set(Torch_NOT_FOUND_MESSAGE "MNEME_TORCH_PACKAGE: ${file} does not exist")
    return()
  endif()
  add_library(${library} SHARED IMPORTED)
  set_target_properties(${library} PROPERTIES IMPORTED_LOCATION ${file})
endforeach()
# libtorch.so defines no symbol that mneme uses, but it loads the libraries of devices, so the linker must not drop it as unused.
set_target_properties(torch PROPERTIES
  INTERFACE_INCLUDE_DIRECTORIES "${TORCH_INCLUDE_DIRS}"
  INTERFACE_LINK_LIBRARIES "-Wl,--push-state,--no-as-needed,${MNEME_TORCH_PACKAGE}/lib/libtorch.so,--pop-state;torch_cpu;c10")
set(Torch_FOUND TRUE)
