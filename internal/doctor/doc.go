// Package doctor looks at what a node needs: tools, manifest, data folder, modules, address,
// the node that runs, the clock, limits of the system.
//
//   - Each [Check] says what was found and, unless it is well, what to do.
//   - It changes nothing: a file that it writes to see whether it can is gone when it returns,
//     and a store in use is not disturbed. What is absent and would be made by a node is well.
//   - Checks do not depend on each other: a broken manifest does not hide a full disk.
//
// What only slows or hinders an author is a warning; what keeps a node from running is a failure.
package doctor
