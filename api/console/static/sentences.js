// What the service says in English, in Korean. {name} stands for what the service fills in, which may be such a sentence too.
// The English is the service's own, word for word; a test holds it to that.

const sentences = {
  "what this key has stored takes {taken} bytes of the store and {free} are free, of which one key leaves as much to others as it takes (MAX_STORE_FILL); delete finished jobs, wait until they expire, or send a smaller file":
    "이 키로 저장한 것이 저장소에서 {taken}바이트를 차지하고, 남은 공간은 {free}바이트입니다. 키 하나는 남은 공간보다 많이 차지할 수 없습니다(MAX_STORE_FILL). 끝난 작업을 지우거나, 만료될 때까지 기다리거나, 더 작은 파일을 보내 주세요.",
  "the store is nearly full; delete finished jobs, or wait until some expire":
    "저장소가 거의 찼습니다. 끝난 파일을 지우거나, 보관 기간이 지나기를 기다려 주세요.",
  "{most} jobs are open (MAX_OPEN_JOBS); wait for one to end":
    "판정 중인 파일이 {most}개입니다(MAX_OPEN_JOBS). 하나가 끝난 뒤에 올려 주세요.",
  "{count} jobs of this key are open, which is its quota; wait for one to end":
    "이 키로 한 번에 판정할 수 있는 파일은 {count}개입니다. 하나가 끝난 뒤에 올려 주세요.",
  "this key has as many open jobs as are left to all others (MAX_OPEN_JOBS is {most}); wait for one to end":
    "이 키로 판정 중인 파일이 많아 다른 키의 자리를 남겨 두어야 합니다(MAX_OPEN_JOBS {most}). 하나가 끝난 뒤에 올려 주세요.",
  "{count} uploads are coming in (MAX_UPLOADS); try again shortly":
    "지금 올리는 파일이 {count}개 있습니다(MAX_UPLOADS). 잠시 뒤에 다시 해 보세요.",
  "{count} files are being looked at, and one caller may look at 2 at a time; try again shortly":
    "지금 미리 보는 파일이 {count}개 있습니다. 한 사람이 동시에 2개까지 미리 볼 수 있습니다. 잠시 뒤에 다시 해 보세요.",
  "this upload brought {bytes} bytes in {seconds} s, and somebody else needed its place; send it again, faster than {least} bytes a second":
    "파일이 {seconds}초 동안 {bytes}바이트밖에 오지 않아 기다리던 다른 사람에게 자리를 내주었습니다. 초당 {least}바이트보다 빠르게 다시 올려 주세요.",
  "there are {most} review queues (MAX_REVIEWS); delete one first":
    "검토 목록이 {most}개로 가득 찼습니다(MAX_REVIEWS). 쓰지 않는 것을 먼저 지워 주세요.",
  "the file has no usable row: {fault}":
    "판정할 수 있는 줄이 하나도 없습니다. 첫 문제: {fault}",
  "it has no rows":
    "줄이 없습니다",
  "the file has more than {most} rows (MAX_JOB_ROWS)":
    "파일의 줄이 {most}개를 넘습니다(MAX_JOB_ROWS). 나눠서 올려 주세요.",
  "the file is empty, or its first line is; the first line names the columns":
    "파일이나 첫 줄이 비어 있습니다. 첫 줄에는 열 이름이 있어야 합니다.",
  "the header cannot be read: {fault}":
    "열 이름이 있는 줄을 읽을 수 없습니다. {fault}",
  "the header cannot be read: {fault}; at most {most} columns are read":
    "열 이름이 있는 줄을 읽을 수 없습니다. {fault} 열은 {most}개까지 읽습니다.",
  "line {line} {fault}":
    "{line}번째 줄: {fault}",
  "line {line} {fault}; the lines up to {last} are lost with it":
    "{line}번째 줄: {fault} {last}번째 줄까지 함께 읽지 못했습니다.",
  "line {line} has more than {most} cells":
    "{line}번째 줄에 칸이 {most}개 넘게 있습니다.",
  "{where} has more than {most} bytes; make it shorter, or leave out columns that are not needed":
    "{where}: {most}바이트를 넘습니다. 짧게 줄이거나 필요 없는 열을 빼 주세요.",
  "opens a quoted cell, and {fault}":
    "따옴표로 연 칸이 끝나지 않습니다. {fault}",
  "line {line} has {cells} cells and the header has {width}; quote cells that hold separators":
    "{line}번째 줄은 칸이 {cells}개인데 열 이름은 {width}개입니다. 쉼표 같은 구분 기호가 든 칸은 따옴표로 묶어 주세요.",
  "line {line} holds bytes that are not in the file's encoding; save the file as UTF-8, or say encoding=utf-8 or encoding=cp949":
    "{line}번째 줄에 인코딩이 다른 글자가 있습니다. 파일을 UTF-8로 저장하거나 다른 인코딩을 골라 주세요.",
  "line {line}: the name of column {place} holds bytes that are not in the file's encoding; save the file as UTF-8, or say encoding=utf-8 or encoding=cp949":
    "{line}번째 줄 {place}번째 열 이름에 인코딩이 다른 글자가 있습니다. 파일을 UTF-8로 저장하거나 다른 인코딩을 골라 주세요.",
  "opens a quoted cell around {lines} lines that look like rows; {advice}":
    "따옴표로 시작한 칸이 줄 {lines}개를 통째로 삼켰습니다. {advice}",
  "opens a quoted cell that is not closed within {lines} lines; {advice}":
    "따옴표로 시작한 칸이 {lines}줄이 지나도록 닫히지 않습니다. {advice}",
  "opens a quoted cell that is never closed; {advice}":
    "따옴표로 시작한 칸이 끝까지 닫히지 않습니다. {advice}",
  "has text after a closing quote; {advice}":
    "닫는 따옴표 뒤에 글자가 더 있습니다. {advice}",
  "opens a quoted cell, and text follows its closing quote on line {last}; {advice}":
    "따옴표로 시작한 칸이 {last}번째 줄에서 닫힌 뒤에 글자가 더 있습니다. {advice}",
  "close the quote, or write \"\" for a quote that belongs to the text":
    "따옴표를 닫고, 글에 든 따옴표는 \"\"로 적어 주세요.",
  "line {line} is rather a title, and line {names} has the names of the columns; if so, say header_row={row}, else say text_column=NUMBER":
    "{line}번째 줄은 제목이고 열 이름은 {names}번째 줄에 있는 듯합니다. 맞으면 '열 이름이 있는 줄'을 {row}번째로 정하고, 아니면 판정할 열의 번호를 적어 주세요.",
  "line {line} names one column, and line {wide} has more cells; if line {title} is a title, say header_row=NUMBER, the line with the names of the columns, else say text_column=NUMBER":
    "{line}번째 줄에는 열 이름이 하나뿐인데 {wide}번째 줄에는 칸이 더 있습니다. {title}번째 줄이 제목이라면 '열 이름이 있는 줄'에 줄 번호를 적어 주세요. 제목이 아니라면 판정할 열의 번호를 적어 주세요.",
  "header_row={row}: line {line} is empty; say the number of the line with the names of the columns":
    "{line}번째 줄은 비어 있습니다. 열 이름이 있는 줄의 번호를 적어 주세요.",
  "header_row={row}: the last line is {last}; say the number of the line with the names of the columns":
    "파일은 {last}번째 줄에서 끝나 {row}번째 줄이 없습니다. 열 이름이 있는 줄의 번호를 적어 주세요.",
  "header_row is the number of the line with the names of the columns, from 1 to {most}, as a spreadsheet shows it; if that is the first line with cells, leave header_row out":
    "'열 이름이 있는 줄'에는 엑셀에 보이는 줄 번호를 1에서 {most}까지 적어 주세요. 맨 위의 줄이라면 비워 두면 됩니다.",
  "header=false says that no line has the names of the columns, and header_row which one; say one of them":
    "열 이름이 없다고 하면서 열 이름이 있는 줄을 적었습니다. 둘 가운데 하나만 정해 주세요.",
  "{option}= is for {formats}; the file is {format}":
    "{option} 값은 {formats} 파일에만 씁니다. 이 파일은 {format}이니 비워 주세요.",
  "{option}= is for {formats}; the file is txt, with a text on each line. If it is a table, say format=csv or format=tsv":
    "이 txt 파일은 한 줄을 글 하나로 읽으니 {option} 값을 비워 주세요. 표라면 파일 이름의 끝을 .csv나 .tsv로 바꿔서 올려 주세요.",
  "header_row={row}: line {line} is the sep= line, which a spreadsheet does not show; it counts as a line. Say the number of the line with the names of the columns":
    "{line}번째 줄은 구분 기호를 정하는 sep= 줄입니다. 엑셀에는 보이지 않지만 한 줄로 세니, 열 이름이 있는 줄의 번호를 다시 적어 주세요.",
  "the line sep={said} does not say with one character what separates cells; write for example sep=; or delete the line":
    "sep={said} 줄에는 구분 기호가 한 글자로 있어야 합니다. sep=;처럼 고치거나 그 줄을 지워 주세요.",
  "row {row} holds {text}, an error of the spreadsheet; mend its formula, or delete the row":
    "{row}번째 줄에는 글 대신 엑셀 오류({text})가 있습니다. 수식을 고치거나 그 줄을 지우고 다시 올려 주세요.",
  "row {row} has cells to the right of the header's {width} columns":
    "{row}번째 줄에 열 이름({width}개)보다 오른쪽에 있는 칸이 있습니다.",
  "the file has {columns} columns; at most {most} are read":
    "열이 {columns}개입니다. {most}개까지 읽습니다.",
  "the names of the columns have more than {most} characters":
    "열 이름이 모두 합쳐 {most}자를 넘습니다.",
  "which column holds the text? Say text_column=NAME or text_column=NUMBER; there are {names}. If another line has the names of the columns, say header_row=NUMBER; if none has, say header=false":
    "있는 열: {names}. 열 이름이 다른 줄에 있으면 '열 이름이 있는 줄'에 줄 번호를 적고, 열 이름이 없으면 '열 이름 있음'을 꺼 주세요.",
  "{option}={wanted}: columns {numbers} have that name; say which by its number, {same}={first}":
    "이름이 {wanted}인 열이 여럿입니다({numbers}). 몇 번째 열인지 번호로 적어 주세요.",
  "{option}={wanted}: there is no such column; there are {names}":
    "{wanted} 열이 없습니다. 있는 열: {names}",
  "encoding={name} is not known; use utf-8, cp949 (also called euc-kr), utf-16, utf-32, johab or windows-1252, or leave it out: the encoding is found out":
    "{name} 인코딩은 모릅니다. utf-8, cp949(euc-kr), utf-16, utf-32, johab, windows-1252 가운데 고르거나 '알아서'로 두세요.",
  "the file is not {encoding}; leave encoding out, and it is found out":
    "{encoding} 파일이 아닙니다. 인코딩을 '알아서'로 두세요.",
  "nearly all of the file's lines are blank; leave them out":
    "파일이 거의 빈 줄입니다. 빈 줄을 빼 주세요.",
  "a {what} of the file does not end within {most} bytes; is it a file of texts, each in a {kind} of its own?":
    "{most}바이트가 지나도록 글 하나가 끝나지 않습니다. 글을 한 줄에 하나씩 적은 파일이 맞는지 보세요.",
  "the gzip file is damaged ({fault})":
    "gzip 파일이 깨졌습니다({fault}).",
  "the gzip file is cut short; send it again":
    "gzip 파일이 중간에 끊겼습니다. 다시 올려 주세요.",
  "the file unpacks to more than {most} bytes (MAX_JOB_BYTES); split it":
    "압축을 풀면 {most}바이트를 넘습니다(MAX_JOB_BYTES). 나눠서 올려 주세요.",
  "the upload is larger than {most} bytes (MAX_JOB_BYTES); split it":
    "파일이 {most}바이트를 넘습니다(MAX_JOB_BYTES). 나눠서 올려 주세요.",
  "a preview takes {most} bytes; send the file's beginning":
    "미리 보기는 {most}바이트까지 됩니다.",
  "the file needs too much memory to be read; split it, or send it as csv":
    "읽는 데 메모리가 너무 많이 드는 파일입니다. 나눠서 올리거나 csv로 저장해 올려 주세요.",
  "no byte of the upload came for {time} s (UPLOAD_STALL_S)":
    "{time}초 동안 아무것도 오지 않아 끊었습니다(UPLOAD_STALL_S). 다시 올려 주세요.",
  "an item of the JSON has more than {most} nested brackets; send its list alone, or jsonl":
    "JSON 항목 하나에 괄호가 {most}개 넘게 들어 있습니다. 그 안의 목록만 올리거나 jsonl로 바꿔 주세요.",
  "the client left before its file was read":
    "파일을 다 읽기 전에 연결이 끊겼습니다. 다시 올려 주세요.",
  "the client left before its rows were stored":
    "줄을 저장하기 전에 연결이 끊겼습니다. 다시 올려 주세요.",
  "the client left before the upload was complete":
    "다 올라오기 전에 끊겼습니다. 다시 올려 주세요.",
  "the form is cut short; send it again":
    "다 올라오기 전에 끊겼습니다. 다시 올려 주세요.",

  "the file is an old Excel file (.xls) or has a password; save it as .xlsx without one and send that":
    "옛 엑셀(.xls) 파일이거나 암호가 걸려 있습니다. 암호 없는 xlsx로 저장해 올려 주세요.",
  "the file is a web page, whatever its name says; open it in Excel and save it as .xlsx or CSV":
    "이름과 달리 웹 페이지입니다. 엑셀에서 열어 xlsx나 CSV로 저장해 올려 주세요.",
  "the file is not xlsx, whatever its name says; open it in Excel and save it as .xlsx or CSV":
    "이름과 달리 xlsx 파일이 아닙니다. 엑셀에서 열어 xlsx나 CSV로 저장해 올려 주세요.",
  "the file is {own}, not {format}":
    "{format} 파일이 아니라 {own} 파일입니다.",
  "{format} needs an optional part that is not installed here: pip install 'kobert-classifier[{extra}]'. csv and jsonl need none":
    "이 서버는 {format} 파일을 읽지 못합니다. csv나 jsonl로 올리거나, 관리자에게 'kobert-classifier[{extra}]'를 설치해 달라고 하세요.",
  "the {format} file is damaged ({kind}: {fault})":
    "{format} 파일이 깨졌습니다({fault}).",
  "the file is not parquet: {fault}":
    "parquet 파일이 아니거나 깨졌습니다({fault}).",
  "the xlsx file is cut short or damaged ({fault}); open it in Excel and save it again":
    "xlsx 파일이 깨졌거나 중간에서 잘렸습니다({fault}). 엑셀에서 열어 다시 저장해 올려 주세요.",
  "the file is {what}, not xlsx; save it as xlsx or csv":
    "xlsx가 아니라 {what}입니다. xlsx나 csv로 저장해 올려 주세요.",
  "a binary workbook (.xlsb)":
    "이진 엑셀 파일(.xlsb)",
  "a zip file":
    "zip 파일",
  "the sheet is empty; its first row names the columns":
    "시트가 비어 있습니다. 첫 줄에는 열 이름이 있어야 합니다.",
  "the xlsx file has no sheet with cells":
    "칸이 있는 시트가 없습니다.",
  "sheet={wanted}: there is no such sheet; there are {names}":
    "{wanted} 시트가 없습니다. 있는 시트: {names}",
  "the sheet has more than {most} rows":
    "시트의 줄이 {most}개를 넘습니다. 나눠서 올려 주세요.",
  "row {row} has a cell in column {column}; at most {most} columns are read":
    "{row}번째 줄의 {column}번째 열에 칸이 있습니다. 열은 {most}개까지 읽습니다.",
  "the xlsx file has a tag, a comment or a cell of more than {size}":
    "xlsx 파일에 {size}보다 긴 태그나 주석, 셀이 있습니다.",
  "the xlsx file has more than {most} sheets":
    "xlsx 파일의 시트가 {most}개를 넘습니다.",
  "the xlsx file has more than {most} parts":
    "xlsx 파일의 부품이 {most}개를 넘습니다. csv로 저장해 올려 주세요.",
  "the xlsx file unpacks to more than {most} bytes ({part}); split it":
    "xlsx 파일의 압축을 풀면 {most}바이트를 넘습니다({part}). 나눠서 올려 주세요.",
  "the xlsx file unpacks to more than {most} strings; split it":
    "xlsx 파일에 든 글이 {most}개를 넘습니다. 나눠서 올려 주세요.",

  "the JSON ends before its last bracket or quote is closed; was the file cut short?":
    "JSON의 마지막 괄호나 따옴표가 닫히지 않았습니다. 파일이 잘리지 않았는지 보세요.",
  "{where} is nested deeper than {most} levels":
    "{where}: {most}단계보다 깊이 겹쳐 있습니다.",
  "{where} has more than {most} values":
    "{where}: 값이 {most}개를 넘습니다.",
  "{where} is not JSON: {fault}":
    "{where}: JSON이 아닙니다({fault}).",
  "{where} has {fields} fields; at most {most} are read":
    "{where}: 항목이 {fields}개입니다. {most}개까지 읽습니다.",
  "{where} has no field {wanted}; say text_column=NAME or a path such as data.text; it has {names}":
    "{where}: 글이 든 항목({wanted})이 없습니다. 있는 항목: {names}",
  "that is known to hold the text":
    "이름으로 알 수 있는 것",
  "{where}: the text holds half of an emoji (a lone surrogate)":
    "{where}: 글에 반쪽짜리 이모지가 있습니다.",
  "line {line}":
    "{line}번째 줄",
  "item {line}":
    "{line}번째 항목",
  "{where} is empty or blank; there is nothing to classify":
    "{where}: 글이 비어 있습니다.",
  "{where} has {chars} characters; at most {most} are read (MAX_TEXT_CHARS). Split it":
    "{where}: {chars}자입니다. {most}자까지 읽습니다(MAX_TEXT_CHARS). 나눠 주세요.",
  "{where} must be a string, not {kind}":
    "{where}: 글이 아니라 다른 값입니다({kind}).",
  "{where} holds half of a surrogate pair, which is not valid Unicode":
    "{where}: 글자가 깨져 있습니다.",

  "{count} texts in one request; at most {most} are taken (MAX_TEXTS_PER_REQUEST). Send them in parts":
    "한 번에 글 {most}개까지 받습니다(MAX_TEXTS_PER_REQUEST). 지금은 {count}개입니다.",
  "these {count} texts take the workers about {time} s, and a request at most {most} s (PREDICT_TIMEOUT_S). Send them in parts, or as a job (POST /jobs)":
    "글 {count}개를 판정하는 데 {time}초쯤 걸리는데 요청 하나는 {most}초까지입니다(PREDICT_TIMEOUT_S). 나눠서 보내거나 '파일 보기'에서 올려 주세요.",
  "the body is larger than {most} bytes (MAX_BODY_BYTES); send it in parts":
    "{most}바이트까지 받습니다(MAX_BODY_BYTES). 나눠서 보내 주세요.",
  "the model {model} has only the strictness {levels}, not {wanted}":
    "{model} 모델의 엄격도는 {levels}뿐입니다.",
  "the model {model} answers its highest label and has no thresholds":
    "{model} 모델은 점수가 가장 높은 판정을 답하므로 임계값이 없습니다.",
  "the model {model} has no threshold for {labels}; it has them for {known}":
    "{model} 모델에는 {labels} 임계값이 없습니다. 있는 것: {known}",
  "policy must be the name of a policy, such as \"board1\"":
    "게시판 이름을 적어 주세요.",

  "a policy's name has 1 to {most} letters, digits, _, - and dots, not {name}":
    "게시판 이름에는 글자와 숫자, _, -, 마침표만 {most}자까지 쓸 수 있습니다.",
  "the policy has {size} bytes; {most} are taken (MAX_POLICY_BYTES)":
    "규칙이 {size}바이트입니다. {most}바이트까지 받습니다(MAX_POLICY_BYTES).",
  "the policies that this key has set would take {size} bytes, each counted once for use and once for each kept version; {most} are taken (MAX_POLICY_BYTES_PER_KEY). Delete some that are not needed":
    "이 키로 만든 게시판 규칙이 남겨 둔 이전 버전까지 {size}바이트가 됩니다. {most}바이트까지 받습니다(MAX_POLICY_BYTES_PER_KEY). 쓰지 않는 게시판을 지워 주세요.",
  "the rules that were replaced, deleted or tried in the last minute are kept for texts on their way, and take all the room for them, or this key's part of it (16 times MAX_POLICY_BYTES); try again later":
    "방금 바꾸거나 지우거나 시험한 규칙을 잠시 남겨 두느라 자리가 없습니다(MAX_POLICY_BYTES의 16배까지). 조금 뒤에 다시 해 주세요.",
  "this key has set {count} policies, as many as are left to all others (MAX_POLICIES is {most}); delete one first":
    "이 키로 만든 게시판이 {count}개로, 다른 키에 남은 만큼 있습니다(MAX_POLICIES는 {most}). 쓰지 않는 것을 지워 주세요.",
  "the policies that this key has set may take {most} bytes of the store now, as it leaves as much free for others as it takes (MAX_STORE_FILL); delete some that are not needed, or make them smaller":
    "이 키로 만든 게시판 규칙은 지금 저장소에서 {most}바이트까지 차지할 수 있습니다. 키 하나는 차지하는 만큼을 다른 키에 남겨 둡니다(MAX_STORE_FILL). 쓰지 않는 게시판을 지우거나 규칙을 줄여 주세요.",
  "more than {most} entries of deny and allow are, or end in, {ending}; leave out those that contain another one":
    "금지어와 허용어 가운데 ‘{ending}’이거나 ‘{ending}’(으)로 끝나는 것이 {most}개를 넘습니다. 다른 단어가 든 단어는 빼 주세요.",
  "{count} entries in deny and allow; a policy takes {most} (MAX_POLICY_ENTRIES)":
    "금지어와 허용어가 모두 {count}개입니다. 게시판 하나에 {most}개까지 넣을 수 있습니다(MAX_POLICY_ENTRIES).",
  "{where} has {chars} characters; a term takes {most}. Deny a part of it":
    "{where}: {chars}자입니다. 단어는 {most}자까지입니다. 그 일부만 넣어 주세요.",
  "{list}[{line}]":
    "{list}[{line}]",
  "deny":
    "금지어",
  "allow":
    "허용어",
  "{where} is empty or blank":
    "{where}: 단어가 비어 있습니다.",
  "{where}: a label is a string of 1 to {most} characters, not {shown}":
    "{where}: 판정 이름은 1자에서 {most}자까지입니다.",
  "{where}: a label has no |, which separates labels in csv files":
    "{where}: 판정 이름에는 |를 쓸 수 없습니다. csv 파일에서 판정을 나누는 기호입니다.",
  "{where} must be an array of up to {most} labels":
    "{where}: 판정은 {most}개까지입니다.",

  "there are {most} corrections (MAX_CORRECTIONS); withdraw some, or raise it":
    "교정이 {most}개로 가득 찼습니다(MAX_CORRECTIONS). 쓰지 않는 것을 되돌려 주세요.",
  "this key has as many corrections as are left to all others (MAX_CORRECTIONS is {most}); withdraw some":
    "이 키의 교정이 다른 키에 남은 만큼 있습니다(MAX_CORRECTIONS는 {most}). 쓰지 않는 것을 되돌려 주세요.",
  "this key's corrections would have more bytes than they leave to all others (MAX_CORRECTIONS_BYTES is {most}); withdraw some":
    "이 키의 교정이 다른 키에 남은 공간보다 커집니다(MAX_CORRECTIONS_BYTES는 {most}). 쓰지 않는 것을 되돌려 주세요.",
  "corrections may have {most} bytes together (MAX_CORRECTIONS_BYTES); withdraw some, or raise it":
    "교정이 모두 합쳐 {most}바이트로 가득 찼습니다(MAX_CORRECTIONS_BYTES). 쓰지 않는 것을 되돌려 주세요.",
  "{where} must be one of {labels}; {shown}":
    "이 모델의 판정은 {labels}입니다.",
  "decisions[{line}].classification must be one of {labels}":
    "이 모델의 판정은 {labels}입니다.",
  "this request has {units}, and the key may have {most} {what}; send it in parts":
    "이 키로는 한 번에 이만큼 보낼 수 없습니다({units}, 한도 {most}). 나눠서 보내 주세요.",

  "the Redis at REDIS_URL has maxmemory-policy {policy}: when its memory is full it drops accepted jobs; set maxmemory-policy {safe}":
    "저장소의 maxmemory-policy가 {policy}입니다. 메모리가 가득 차면 받아 둔 작업을 지워 버립니다. maxmemory-policy를 {safe}으로 바꾸세요.",
  "the Redis at REDIS_URL is a replica: it takes no writes, or loses them; name its primary in REDIS_URL":
    "저장소가 복제본(replica)이라 쓰기를 받지 않거나 잃어버립니다. REDIS_URL에 주 서버(primary)를 적으세요.",
  "the Redis at REDIS_URL is a cluster, over which jobs cannot be kept whole; use a single server":
    "저장소가 클러스터라 작업을 온전히 보관할 수 없습니다. 서버 한 대짜리 Redis를 쓰세요.",
  "the Redis at REDIS_URL is version {version}; bulk jobs need Redis {oldest} or Valkey, or newer":
    "저장소가 {version} 버전입니다. 파일 작업에는 Redis {oldest} 이상이나 Valkey가 있어야 합니다.",
  "the store's disk is full: texts are answered, jobs are not accepted until there is room again":
    "저장소의 디스크가 가득 찼습니다. 한마디 판정은 되지만, 자리가 날 때까지 파일은 받지 않습니다.",
  "the Redis at REDIS_URL leaves it to the system when it writes (appendfsync no): a power cut can cost half a minute of accepted jobs; set appendfsync everysec":
    "저장소가 디스크에 쓰는 때를 운영 체제에 맡깁니다(appendfsync no). 정전이 나면 30초 동안 받은 작업을 잃을 수 있습니다. appendfsync를 everysec으로 바꾸세요.",
  "the Redis at REDIS_URL keeps no append-only file ({snapshots}); {advice}":
    "저장소가 AOF(append-only file)를 쓰지 않습니다. {snapshots} {advice}",
  "a restart costs what was accepted since its last snapshot":
    "다시 켜면 마지막 스냅샷 뒤에 받은 작업을 잃습니다.",
  "a restart costs every job":
    "다시 켜면 작업을 모두 잃습니다.",
  "whether it takes snapshots could not be read, because CONFIG is forbidden":
    "CONFIG가 막혀 있어 스냅샷을 남기는지는 알 수 없습니다.",
  "set appendonly yes and appendfsync everysec":
    "appendonly를 yes로, appendfsync를 everysec으로 바꾸세요.",
  "the Redis at REDIS_URL has no maxmemory, so uploads are not refused before the machine's memory is full; set maxmemory":
    "저장소에 maxmemory가 없어, 서버의 메모리가 가득 찰 때까지 파일을 받습니다. maxmemory를 정하세요.",
  "the clock of this machine is {time} s {way} that of the Redis at REDIS_URL: texts pass their deadlines too early or too late; set the clocks of all machines by NTP":
    "이 서버의 시계가 저장소의 시계보다 {time}초 {way}, 글의 기한이 너무 일찍 또는 늦게 지납니다. 모든 서버의 시계를 NTP로 맞추세요.",
  "ahead of":
    "빨라",
  "behind":
    "늦어",
  "the Redis at REDIS_URL does not tell its {what}, so it could not be checked {effect}; see the settings that it needs in docs/operations.md":
    "저장소가 {what}에 답하지 않아 {effect} 알 수 없습니다. 필요한 설정은 docs/operations.ko.md에 있습니다.",
  "whether it evicts, persists or is a replica":
    "키를 지우는지, 디스크에 남기는지, 복제본인지",
  "whether it evicts keys":
    "메모리가 가득 찰 때 키를 지우는지",
};

// What stands for a number in a sentence of the service; any other name stands for any words.
const NUMBERS = new Set(["line", "last", "row", "most", "count", "chars"]);
const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

// [its pattern, how many letters of it are fixed, in Korean]; the most telling first.
const patterns = Object.entries(sentences)
  .map(([english, korean]) => {
    const parts = english.split(/\{(\w+)\}/);
    const source = parts.map((part, at) => (at % 2 ? `(?<${part}>${NUMBERS.has(part) ? "[\\d.,]+" : "[^]+?"})` : literal(part))).join("");
    return [new RegExp(`^${source}$`), parts.filter((_, at) => at % 2 === 0).join("").length, korean];
  })
  .sort(([, a], [, b]) => b - a);

// A sentence of the service in Korean; null where there is none of it.
export function inKorean(sentence) {
  for (const [pattern, , korean] of patterns) {
    const found = sentence.match(pattern);
    if (found) return korean.replace(/\{(\w+)\}/g, (_, name) => inKorean(found.groups[name]) ?? found.groups[name]);
  }
  return null;
}
