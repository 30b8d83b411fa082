;; A guest without any SDK. It passes events on (t.echo), keeps, gives and forgets what it is
;; told (t.state.set, .get, .del), answers (t.reply) and skips the rest. docs/abi.md is all
;; that it takes to write one.
(module
  (import "avx1" "next" (func $next (param i32 i32) (result i32)))
  (import "avx1" "fail" (func $fail (param i32 i32 i32)))
  (import "avx1" "emit" (func $emit (param i32 i32) (result i32)))
  (import "avx1" "reply" (func $reply (param i32 i32) (result i32)))
  (import "avx1" "kv_get" (func $kv_get (param i32 i32 i32 i32) (result i32)))
  (import "avx1" "kv_set" (func $kv_set (param i32 i32 i32 i32) (result i32)))
  (import "avx1" "kv_del" (func $kv_del (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "unsupportedout.echoout.getout.absentno memory")
  (global $b i32 (i32.const 1024)) ;; where the frame in hand is
  (global $n (mut i32) (i32.const 0)) ;; how long it is
  (func (export "avx_abi_1"))

  ;; field i of the seven: 0 topic, 1 key, 2 id, 3 source, 4 content type, 5 headers, 6 data
  (func $len (param $i i32) (result i32)
    (i32.load offset=44 (i32.add (global.get $b) (i32.shl (local.get $i) (i32.const 2)))))
  (func $at (param $i i32) (result i32) (local $p i32)
    (local.set $p (i32.add (global.get $b) (i32.load16_u offset=4 (global.get $b)))) ;; step over the header by its length
    (loop $more
      (if (local.get $i) (then
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (local.set $p (i32.add (local.get $p) (call $len (local.get $i))))
        (br $more))))
    (local.get $p))

  (func $room (param $from i32) (result i32) ;; bytes of memory from there on
    (i32.sub (i32.shl (memory.size) (i32.const 16)) (local.get $from)))
  (func $grow (param $missing i32)
    (if (i32.lt_s (memory.grow (i32.add (i32.shr_u (local.get $missing) (i32.const 16)) (i32.const 1))) (i32.const 0))
      (then (call $fail (i32.const 2) (i32.const 36) (i32.const 9)))))

  ;; The event in hand goes out again under a topic that is two bytes longer: its header moves
  ;; two bytes to the front, and the rest stays where it is.
  (func $echo (local $to i32) (local $hlen i32)
    (local.set $to (i32.sub (global.get $b) (i32.const 2)))
    (local.set $hlen (i32.load16_u offset=4 (global.get $b)))
    (memory.copy (local.get $to) (global.get $b) (local.get $hlen))
    (memory.copy (i32.add (local.get $to) (local.get $hlen)) (i32.const 11) (i32.const 8))
    (i32.store (local.get $to) (i32.add (global.get $n) (i32.const 2)))
    (i64.store offset=24 (local.get $to) (i64.const 0)) ;; it expects no version
    (i32.store offset=44 (local.get $to) (i32.const 8))
    (drop (call $emit (local.get $to) (i32.add (global.get $n) (i32.const 2)))))

  ;; Emits a frame at $p whose data is in its place already.
  (func $out (param $p i32) (param $topic i32) (param $tlen i32) (param $dlen i32)
    (memory.fill (local.get $p) (i32.const 0) (i32.const 96))
    (i32.store (local.get $p) (i32.add (i32.add (i32.const 96) (local.get $tlen)) (local.get $dlen)))
    (i32.store16 offset=4 (local.get $p) (i32.const 96))
    (i32.store16 offset=32 (local.get $p) (i32.const 1))
    (i32.store offset=44 (local.get $p) (local.get $tlen))
    (i32.store offset=68 (local.get $p) (local.get $dlen))
    (memory.copy (i32.add (local.get $p) (i32.const 96)) (local.get $topic) (local.get $tlen))
    (drop (call $emit (local.get $p) (i32.load (local.get $p)))))

  (func $get (local $p i32) (local $v i32) (local $n i32)
    (local.set $p (i32.add (global.get $b) (global.get $n)))
    (local.set $v (i32.add (local.get $p) (i32.const 106))) ;; the longer of the topics has 10 bytes
    (if (i32.lt_s (call $room (local.get $v)) (i32.const 1024)) (then (call $grow (i32.const 1024))))
    (local.set $n (call $kv_get (call $at (i32.const 1)) (call $len (i32.const 1)) (local.get $v) (call $room (local.get $v))))
    (if (i32.lt_s (local.get $n) (i32.const 0)) (then
      (call $out (local.get $p) (i32.const 26) (i32.const 10) (i32.const 0)) (return)))
    (if (i32.gt_s (local.get $n) (call $room (local.get $v))) (then
      (call $grow (local.get $n))
      (drop (call $kv_get (call $at (i32.const 1)) (call $len (i32.const 1)) (local.get $v) (local.get $n)))))
    (call $out (i32.add (local.get $p) (i32.const 3)) (i32.const 19) (i32.const 7) (local.get $n)))

  ;; The topics that it knows differ in their last four bytes.
  (func $handle (local $t i32)
    (local.set $t (i32.load (i32.sub (call $at (i32.const 1)) (i32.const 4))))
    (if (i32.eq (local.get $t) (i32.const 0x6f686365)) (then (call $echo) (return))) ;; echo
    (if (i32.eq (local.get $t) (i32.const 0x7465672e)) (then (call $get) (return))) ;; .get
    (if (i32.eq (local.get $t) (i32.const 0x7465732e)) (then ;; .set
      (drop (call $kv_set (call $at (i32.const 1)) (call $len (i32.const 1)) (call $at (i32.const 6)) (call $len (i32.const 6)))) (return)))
    (if (i32.eq (local.get $t) (i32.const 0x6c65642e)) (then ;; .del
      (drop (call $kv_del (call $at (i32.const 1)) (call $len (i32.const 1)))) (return)))
    (if (i32.eq (local.get $t) (i32.const 0x796c7065)) (then ;; eply
      (drop (call $reply (call $at (i32.const 6)) (call $len (i32.const 6)))) (return)))
    (call $fail (i32.const 3) (i32.const 0) (i32.const 11)))

  (func (export "avx_run") (result i32)
    (loop $more
      (global.set $n (call $next (global.get $b) (call $room (global.get $b))))
      (if (i32.le_s (global.get $n) (i32.const 0)) (then (return (i32.const 0))))
      (if (i32.gt_s (global.get $n) (call $room (global.get $b)))
        (then (call $grow (global.get $n))) ;; the next call gives the event again
        (else (call $handle)))
      (br $more))
    (unreachable)))
