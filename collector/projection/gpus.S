/* config/gpus.yaml as bytes: see gpus.h. */
    .section .rodata
    .global gpus_yaml, gpus_yaml_size
    .type gpus_yaml, %object
    .type gpus_yaml_size, %object
gpus_yaml:
    .incbin "config/gpus.yaml"
1:
    .byte 0
    .size gpus_yaml, . - gpus_yaml
    .balign 8
gpus_yaml_size:
    .quad 1b - gpus_yaml
    .size gpus_yaml_size, 8
    .section .note.GNU-stack, "", %progbits
