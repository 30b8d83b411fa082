// count in AssemblyScript: how many events of each key there were.
import * as avx from "../../sdk/assemblyscript/avx";
export { avx_abi_1, avx_run } from "../../sdk/assemblyscript/avx";

avx.handle((ev) => {
  const n = avx.getInt(ev.key) + 1;
  avx.setInt(ev.key, n);
  avx.emit("counted.assemblyscript", ev.key, n.toString());
});
