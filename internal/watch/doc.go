// Package watch tells when files change.
//
//   - The system's notifications make it quick; looking at the files again and again makes it
//     certain, because notifications are lost on network file systems and under load.
//   - It waits until the files have been left alone for a moment, so that half of a copy is no
//     change, and a thousand writes are one.
//   - Who says what is watched is asked anew each time: new files and folders are seen, files
//     that nobody names, such as what a build makes, are not.
//
// It reads no file; whether a change means something is for its caller to find out.
package watch
