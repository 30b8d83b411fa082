package main

// casesSuffix ends the names of files with cases.
const casesSuffix = ".avx.toml"
