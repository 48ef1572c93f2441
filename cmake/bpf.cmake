# add_bpf_program(TARGET NAME source.bpf.c): compiles a program for the kernel with clang and gives TARGET
# the header NAME.skel.h, which holds it and its loader. Nothing of the build machine's kernel is read.
find_program(BPF_CLANG clang REQUIRED)
find_program(BPFTOOL bpftool PATHS /usr/sbin /sbin REQUIRED)

function(add_bpf_program target name source)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${source})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/bpf)
  set(object ${folder}/${name}.o)
  set(lean ${folder}/${name}.lean.o)
  set(skeleton ${folder}/${name}.skel.h)
  # Headers of the architecture lie in a folder that clang only searches when it builds for it.
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
    COMMAND ${BPF_CLANG} -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter
            -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -MD -MF ${object}.d -c ${source} -o ${object}
    DEPENDS ${source} DEPFILE ${object}.d VERBATIM)
  # Linking drops what debuggers would want and keeps the type information.
  add_custom_command(OUTPUT ${skeleton}
    COMMAND ${BPFTOOL} gen object ${lean} ${object}
    COMMAND ${BPFTOOL} gen skeleton ${lean} name ${name}_bpf > ${skeleton}
    DEPENDS ${object} VERBATIM)
  target_sources(${target} PRIVATE ${skeleton})
  target_include_directories(${target} SYSTEM PRIVATE ${folder})
endfunction()
