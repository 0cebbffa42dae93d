"""Which schools, classrooms, devices and platforms there are: `read` takes the spreadsheet, `changes` compares, `write` gives it back, `sample` invents one."""
