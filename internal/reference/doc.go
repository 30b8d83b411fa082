// Package reference writes the documents that are made from the code: the reference of the
// manifest, its JSON Schema, and the list of error codes.
//
// What it writes depends on nothing but the code, so a test (in cmd/avxrt) holds the files of
// the repository against it, and `make docs` writes them anew.
package reference
