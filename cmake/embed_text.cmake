# cmake -DNAME=<constant> -DINPUT=<file or empty> -DOUTPUT=<file.cpp> -DHEADER=<header with its declaration> -DNAMESPACE=<namespace>
#       -P embed_text.cmake
# Writes a C++ file that defines the constant as the text of the file. A raw string literal is used because it compiles
# much faster than an array of numbers, which takes seconds for a file of 1 MB.
set(text "")
if(INPUT)
  file(READ "${INPUT}" text)
endif()
string(FIND "${text}" ")embedded\"" end_of_literal)
if(NOT end_of_literal EQUAL -1)
  message(FATAL_ERROR "${INPUT} contains the text that ends a raw string literal: )embedded\"")
endif()
file(WRITE "${OUTPUT}" "#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n"
  "constexpr char text[] = R\"embedded(${text})embedded\";\n"
  "const std::string_view ${NAME}(text, sizeof text - 1);\n} // namespace ${NAMESPACE}\n")
