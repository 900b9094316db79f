# Installs the PROGRAMS, and runs each from the installed folder.
file(REMOVE_RECURSE ${WORK})
foreach(component IN ITEMS memory program) # memory: the library of a shared build
  execute_process(COMMAND ${CMAKE_COMMAND} --install ${MNEME_BINARY_DIR} --prefix ${WORK} --component ${component}
    COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
endforeach()
foreach(program IN LISTS PROGRAMS)
  execute_process(COMMAND ${WORK}/bin/${program} --version
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${WORK}/bin/${program} --version ended with ${status}:\n${output}")
  endif()
endforeach()
file(REMOVE_RECURSE ${WORK}) # the programs take 100 MB
