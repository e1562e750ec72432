# cmake -D OUT=file.cpp -D "FILES=a;b" -P embed_texts.cmake: a C++ source that holds the files as svti::config::embedded_modules()
set(entries "")
foreach(file ${FILES})
  file(READ "${file}" text)
  get_filename_component(name "${file}" NAME_WE)
  string(APPEND entries "    {\"${name}\", R\"~embedded~(${text})~embedded~\"},\n")
endforeach()
file(WRITE "${OUT}" "// Generated from docs/yang. Do not edit.\n#include \"config/embedded.h\"\n\nnamespace svti::config {\n\n\
std::span<const EmbeddedModule> embedded_modules() {\n  static constexpr EmbeddedModule kModules[] = {\n${entries}  };\n  return kModules;\n}\n\n}  // namespace svti::config\n")
