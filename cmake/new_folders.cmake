# Part of the installation: adds to the file `list` those of `folders`, and of the folders above them, that are not there yet.
set(prefix "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
foreach(folder IN LISTS folders)
    set(path "${prefix}/${folder}")
    while(NOT EXISTS "${path}")
        file(APPEND "${list}" "${path}\n")
        get_filename_component(path "${path}" DIRECTORY)
    endwhile()
endforeach()
