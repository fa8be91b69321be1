// The names of a workbook's sheets, read in the browser: they can be chosen before anything is sent, whatever its size.

const END = 0x06054b50;
const ENTRY = 0x02014b50;
// The end record, and the longest comment that may follow it.
const MOST_END = 22 + 0xffff;
// Nobody chooses from more, and no workbook that people made has a longer list.
const MOST_SHEETS = 200;
const MOST_LIST = 1 << 20;
const BOOK = "xl/workbook.xml";

const viewOf = async (file, from, to) => new DataView(await file.slice(from, to).arrayBuffer());

// [where it begins in the file, its packed size, whether it is packed] of the part that lists the sheets; null without it.
async function findBook(file) {
  const tail = await viewOf(file, Math.max(0, file.size - MOST_END), file.size);
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== END) end -= 1;
  if (end < 0) return null;
  const [size, start] = [tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
  const list = await viewOf(file, start, start + Math.min(size, MOST_LIST));
  for (let at = 0; at + 46 <= list.byteLength && list.getUint32(at, true) === ENTRY; ) {
    const [name, extra, comment] = [28, 30, 32].map((offset) => list.getUint16(at + offset, true));
    if (at + 46 + name > list.byteLength) return null;
    if (new TextDecoder().decode(new Uint8Array(list.buffer, at + 46, name)) === BOOK) {
      const local = list.getUint32(at + 42, true);
      const head = await viewOf(file, local, local + 30);
      const from = local + 30 + head.getUint16(26, true) + head.getUint16(28, true);
      return [from, list.getUint32(at + 20, true), list.getUint16(at + 10, true) === 8];
    }
    at += 46 + name + extra + comment;
  }
  return null;
}

// Text of the part, of which a list that unpacks to more than MOST_LIST is no list of sheets.
async function read(part) {
  const reader = part.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
    if (text.length > MOST_LIST) return reader.cancel().then(() => "");
  }
}

// Names of the sheets that a person sees in Excel; none where the file is no workbook, or the browser too old to tell.
export async function sheetsOf(file) {
  try {
    const found = await findBook(file);
    if (!found) return [];
    const [from, size, isPacked] = found;
    const part = file.slice(from, from + size).stream();
    const text = await read(isPacked ? part.pipeThrough(new DecompressionStream("deflate-raw")) : part);
    const sheets = [...new DOMParser().parseFromString(text, "application/xml").getElementsByTagNameNS("*", "sheet")];
    return sheets.filter((sheet) => !/hidden/i.test(sheet.getAttribute("state") ?? "")).map((sheet) => sheet.getAttribute("name")).slice(0, MOST_SHEETS);
  } catch {
    return [];
  }
}
