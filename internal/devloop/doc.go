// Package devloop is what avxrt dev does beside a node: it watches the sources of the
// manifest's modules, builds them, and puts what was built into service after the last
// events were replayed through it.
//
//   - Each change of a source gives one block of text that says what became of it.
//   - What a build makes is never watched: sources are, by the allow-list of package build. A
//     file that was saved without a change builds nothing, a module that came out as before is
//     not swapped. So there is no build that asks for another.
//   - A compiler that refuses the sources, a manifest that is wrong, and a module that fails an
//     event which the present one handles leave running what runs.
//   - The module's file is replaced only when the new one goes into service.
//
// It is synchronous: [Loop.Run] returns when its context ends, and nothing of it stays behind.
package devloop
