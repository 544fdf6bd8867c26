# Writes Lua files as a C source: cmake -DFOLDER=lua "-DFILES=dgram/init.lua;..." -DOUTPUT=lua_files.c -P lua_files.cmake
set(texts "")
set(list "")
set(number 0)
foreach(file IN LISTS FILES)
    math(EXPR number "${number} + 1")
    file(READ "${FOLDER}/${file}" bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    # A line for each line of the file.
    string(REGEX REPLACE "(0x0a,)" "\\1\n" bytes "${bytes}")
    string(REGEX REPLACE "\\.lua$" "" module "${file}")
    string(REGEX REPLACE "/init$" "" module "${module}")
    string(REPLACE "/" "." module "${module}")
    # Such a name is shown as it is. The errors' places leave out what begins as that of init.lua does, up to the "/".
    string(REGEX REPLACE "^dgram/" "=[dgram]/" chunk "${file}")
    string(APPEND texts "static const char text_${number}[] = {\n${bytes}\n};\n")
    string(APPEND list "    {\"${module}\", \"${chunk}\", text_${number}, sizeof text_${number}},\n")
endforeach()
file(WRITE "${OUTPUT}" "#include \"lua_files.h\"\n\n${texts}\nconst dg_lua_file dg_lua_files[] = {\n${list}    {0},\n};\n")
