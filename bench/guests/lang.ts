// What the languages are compared by, in AssemblyScript: count events by key, and total orders.
import * as avx from "../../sdk/assemblyscript/avx";
export { avx_abi_1, avx_run } from "../../sdk/assemblyscript/avx";

const key = new avx.Buf(), j = new avx.JSONReader(key.bytes());

avx.handle((ev) => {
  if (ev.topic.is("bench.count")) avx.add(key.clear().put("count/").put(ev.key), 1);
  else total(ev);
});

function total(ev: avx.Event): void {
  let sum: i64 = 0;
  key.clear().put("total/");
  j.read(ev.data);
  for (j.object(); j.key(); ) {
    if (j.is("country")) j.text(key);
    else if (j.is("lines")) for (j.list(); j.item(); ) sum += line();
    else j.skip();
  }
  if (!j.end()) return avx.reject("not an order");
  avx.add(key, sum);
}

function line(): i64 {
  let qty: i64 = 0, cents: i64 = 0;
  for (j.object(); j.key(); ) {
    if (j.is("qty")) qty = j.int();
    else if (j.is("cents")) cents = j.int();
    else j.skip();
  }
  return qty * cents;
}
