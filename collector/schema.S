/* schema.sql as bytes: see schema.h. */
    .section .rodata
    .global schema_sql, schema_sql_size
    .type schema_sql, %object
    .type schema_sql_size, %object
schema_sql:
    .incbin "collector/schema.sql"
1:
    .byte 0
    .size schema_sql, . - schema_sql
    .balign 8
schema_sql_size:
    .quad 1b - schema_sql
    .size schema_sql_size, 8
    .section .note.GNU-stack, "", %progbits
