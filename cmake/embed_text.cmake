# cmake -DNAME=<constant> -DINPUT=<file or empty> -DOUTPUT=<file.cpp> -DHEADER=<declares it> -DNAMESPACE=<it lies in> -P embed_text.cmake
# Writes a C++ file that defines the constant as the text of the file. A raw string literal compiles in a blink,
# where an array of a million numbers takes seconds.
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
