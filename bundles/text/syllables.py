"""Syllables that the embedded vocabulary reads, and for every other one the nearest of them.

What the vocabulary lacks reads as `<unk>`, whatever it says; the nearest spelling keeps the sound.
"""

from collections.abc import Iterator
from functools import cache
from itertools import product

from bundles.text.hangul import FIRST_SYLLABLE, LAST_SYLLABLE, join_syllable, split_syllable

KNOWN = (
    "가각간갇갈갉감갑값갓갔강갖같갚갛개객갠갤갬갭갯갱갸걀걍걔거걱건걷걸검겁것겄겅겉게겐겔겜겟겠겨격겪견결겸겹겻겼경곁계고곡곤곧골곰곱곳공곶과곽관괄괌광괘괜괭괴굉교굣구국군굳굴굵굶굼굽굿궁궂궈권궐궜궤귀귄귈"
    "귐귓규균귤그극근글긁금급긋긍긔기긱긴길김깁깃깅깊까깍깎깐깔깜깝깟깡깥깨깬깰깻깼깽꺄꺅꺼꺽꺾껀껄껌껍껏껐껑께껴꼈꼐꼬꼭꼰꼴꼼꼽꼿꽁꽂꽃꽈꽉꽐꽝꽤꾀꾸꾹꾼꿀꿇꿈꿉꿋꿍꿎꿔꿨꿩꿰뀌뀐뀔뀜뀝끄끈끊끌끓끔끕끗끙"
    "끝끼끽낀낄낌낍낑나낙낚난날낡남납낫났낭낮낯낱낳내낵낸낼냄냅냇냈냉냐냑냔냠냥너넉넋넌널넓넘넙넛넝넣네넥넨넬넴넵넷넸넹녀녁년념녔녕녘녜노녹논놀놈놉놋농높놓놔놨뇌뇨뇸뇽누눅눇눈눉눌눔눕눗눠눴뉘뉜뉠뉴늄늉느늑"
    "는늘늙늠능늦늪늬니닉닌닐님닙닛닝다닥닦단닫달닭닮닳담답닷당닻닿대댁댄댈댐댑댓댔댕댜더덕던덜덟덤덥덧덩덫덮데덱덴델뎀뎁뎃뎅뎌뎠도독돈돋돌돐돔돕돗동돛돠돼됐되된될됨됩됬두둑둔둘둠둡둣둥둬뒀뒤뒷뒹듀듄듈듐드"
    "득든듣들듦듬듭듯등디딕딘딛딜딤딥딧딨딩딪따딱딴딸땀땄땅땋때땐땔땜땠땡떄떠떡떤떨떳떴떵떻떼뗀뗄뗏뗐또똑똘똥뙤뚜뚝뚤뚫뚱뛰뛴뛸뜨뜩뜬뜯뜰뜸뜹뜻띄띈띔띠띤띨띵라락란랄람랍랏랐랑랗래랙랜랠램랩랫랬랭랴략량러럭"
    "런럴럼럽럿렀렁렇레렉렌렐렘렙렛렝려력련렬렴렵렷렸령례롄로록론롤롬롭롯롱롸뢰료룡루룩룬룰룸룹룻룽뤄뤘뤠뤼뤽류륙륜률륨륭르륵른를름릅릇릉릎리릭린릴림립릿링마막만많맏말맑맘맙맛망맞맡맣매맥맨맬맴맵맷맹맺먀머"
    "먹먼멀멈멋멍멎메멕멘멜멤멧멩며멱면멸몄명몇모목몫몬몰몸몹못몽뫼묘무묵묶문묻물묽뭄뭇뭉뭐뭔뭘뭡뭣뮈뮌뮐뮤뮬뮴므믄믈미믹민믿밀밈밉밋밌밍및밑바박밖반받발밝밟밤밥밧방밭배백밴밸뱀뱃뱅뱉버벅번벌범법벗벙벚베벡"
    "벤벧벨벰벳벵벼벽변별볍볏볐병볕보복볶본볼봄봅봇봉봐봣봤봬뵈뵌뵐뵙부북분불붉붐붓붕붙뷔뷰뷴브븐블비빅빈빌빔빕빗빙빚빛빠빡빤빨빳빴빵빼빽뺀뺄뺏뺐뺑뺨뻐뻑뻔뻗뻘뻡뻣뻤뻥뻬뼈뼘뼛뽀뽁뽈뽐뽑뽕뾰뿅뿌뿍뿐뿔뿜뿡쁘"
    "쁜쁠쁨쁩삐삑삥사삭산살삶삼삽삿샀상샅새색샌샐샘샛생샤샥샨샬샴샵샷샹샾섀서석섞선섣설섬섭섯섰성섶세섹센셀셈셉셋셌셍셔션셜셤셧셨셩셰셴셸소속솎손솔솜솝솟송솥솨쇄쇠쇳쇼쇽숀숄숍숏숑수숙순숟술숨숩숫숭숯숱숲숴"
    "쉐쉑쉔쉘쉬쉰쉴쉼쉽슈슌슐슘슛슝스슥슨슬슭슴습슷승시식신싣실싫심십싯싱싶싸싹싼쌀쌈쌉쌌쌍쌓쌔쌤쌩써썩썬썰썸썹썼썽쎄쎈쎌쏘쏙쏜쏟쏠쏭쏴쏼쐈쐐쐬쑈쑤쑥쑨쑹쓰쓱쓴쓸씀씁씌씨씩씬씰씸씹씻씽아악안앉않알앎앓암압앗"
    "았앙앞애액앤앨앰앱앳앴앵야약얀얄얇얌얍얏양얕얗얘어억언얹얻얼얽엄업없엇었엉엊엌엎에엑엔엘엠엡엣엥여역엮연열엷염엽엿였영옅옆옇예옌옐옙옛오옥온올옮옳옴옵옷옹옻와왁완왈왑왓왔왕왜왠외왼요욕욘욜욤욥욧용우욱"
    "운울움웁웃웅워웍원월웜웠웡웨웩웬웰웹위윅윈윌윔윕윗윙유육윤율윰윳융윷으윽은을읊음읍응의읜이익인일읽잃임입잇있잉잊잌잎자작잔잖잘잠잡잣잤장잦재잭잰잴잼잽잿쟁쟈쟌쟝저적전절젊점접젓정젖제젝젠젤젬젯져젼졋졌"
    "졍조족존졸좀좁종좆좇좋좌죄죠죤죵주죽준줄줌줍줏중줘줬쥐쥔쥘쥬쥰쥴즈즉즌즐즘즙증지직진질짊짐집짓징짖짙짚짜짝짠짤짧짬짭짰짱째쨋쨌쨍쨔쨩쩌쩍쩐쩔쩜쩝쩡쩨쪄쪼쪽쫀쫄쫌쫑쫒쫓쫙쬐쭈쭉쭌쭐쭙쭝쭤쯔쯤찌찍찐찔찜찝"
    "찡찢찧차착찬찮찰참찹찻찼창찾채책챈챌챔챕챗챘챙챠챤처척천철첨첩첫청체첵첸첼쳇쳐쳤초촉촌촐촘촛총촨촬최쵸추축춘출춤춥춧충춰췄췌취츄츔츠측츤츨츰층치칙친칠칡침칩칫칭카칵칸칼캄캅캇캉캐캔캘캠캡캣캥캬커컥컨컫"
    "컬컴컵컷컸컹케켄켈켐켑켓켜켠켤켰코콕콘콜콤콥콧콩콰콱콴쾅쾌쾨쾰쿄쿠쿡쿤쿨쿰쿱쿳쿵쿼퀀퀄퀘퀴퀵퀸퀼큐큘크큭큰클큼큽키킥킨킬킴킵킷킹타탁탄탈탉탐탑탓탔탕태택탠탤탬탭탯탰탱터턱턴털텀텁텃텅테텍텐텔템텝텟텡텨"
    "텼톈토톡톤톨톰톱톳통퇴투툭툰툴툼퉁퉈튀튄튕튜튠튤튬트특튼튿틀틈틋틔티틱틴틸팀팁팅파팍팎판팔팜팝팟팠팡팥패팩팬팰팸팹팻팽퍼퍽펀펄펌펍펐펑페펙펜펠펨펩펫펭펴편펼폄폈평폐포폭폰폴폼폿퐁푀표푯푸푹푼풀품풋풍퓌"
    "퓨퓰퓸프픈플픔픕피픽핀필핌핍핏핑하학한할핥함합핫항해핵핸핼햄햅햇했행햐향허헉헌헐험헙헛헝헤헥헨헬헴헵헷헹혀혁현혈혐협혔형혜호혹혼홀홈홉홋홍홑화확환활홧황횃회획횟횡효후훅훈훌훑훔훗훙훠훤훨훼휀휄휑휘휙휠"
    "휩휴휼흄흉흐흑흔흘흙흠흡흣흥흩희흰히힉힌힐힘힙힛힝"
)
_KNOWN_SET = frozenset(KNOWN)
RARE = "".join(char for char in map(chr, range(FIRST_SYLLABLE, LAST_SYLLABLE + 1)) if char not in _KNOWN_SET)

# Jamo that sound or look nearly alike, nearest first.
_NEAR_INITIALS = {
    "ㄲ": "ㄱㅋ",
    "ㄸ": "ㄷㅌ",
    "ㅃ": "ㅂㅍ",
    "ㅆ": "ㅅ",
    "ㅉ": "ㅈㅊ",
    "ㅋ": "ㄱㄲ",
    "ㅌ": "ㄷㄸ",
    "ㅍ": "ㅂㅃ",
}
_NEAR_INITIALS |= {"ㄱ": "ㄲㅋ", "ㄷ": "ㄸㅌ", "ㅂ": "ㅃㅍ", "ㅅ": "ㅆ", "ㅈ": "ㅉㅊ", "ㅊ": "ㅈㅉ"}
_SAME_SOUNDING = {"ㅏ": "ㅑ", "ㅑ": "ㅏ", "ㅓ": "ㅕ", "ㅕ": "ㅓ", "ㅗ": "ㅛ", "ㅛ": "ㅗ", "ㅜ": "ㅠ", "ㅠ": "ㅜ"}
_SAME_SOUNDING |= {"ㅐ": "ㅔㅒ", "ㅔ": "ㅐㅖ", "ㅒ": "ㅐㅖ", "ㅖ": "ㅔㅐ", "ㅙ": "ㅚㅞ", "ㅚ": "ㅙㅞ", "ㅞ": "ㅚㅙ"}
_LIKE_SOUNDING = {
    "ㅘ": "ㅏ",
    "ㅙ": "ㅐ",
    "ㅚ": "ㅗ",
    "ㅝ": "ㅓ",
    "ㅞ": "ㅔ",
    "ㅟ": "ㅜㅣ",
    "ㅡ": "ㅜ",
    "ㅢ": "ㅣㅡ",
    "ㅣ": "ㅢㅟ",
}
_NEAR_FINALS = {
    "ㄱ": "ㄲㅋ",
    "ㄲ": "ㄱㅋ",
    "ㄳ": "ㄱ",
    "ㄵ": "ㄴ",
    "ㄶ": "ㄴ",
    "ㄷ": "ㅅㅆㅌ",
    "ㄺ": "ㄱㄹ",
    "ㄻ": "ㄹㅁ",
}
_NEAR_FINALS |= {
    "ㄼ": "ㄹㅂ",
    "ㄽ": "ㄹ",
    "ㄾ": "ㄹ",
    "ㄿ": "ㅂㅍ",
    "ㅀ": "ㄹ",
    "ㅂ": "ㅍㅄ",
    "ㅄ": "ㅂ",
    "ㅅ": "ㅆㄷㅌ",
}
_NEAR_FINALS |= {
    "ㅆ": "ㅅㄷㅌ",
    "ㅈ": "ㅅㄷㅊㅌ",
    "ㅊ": "ㅅㄷㅌㅆ",
    "ㅋ": "ㄱㄲ",
    "ㅌ": "ㅅㄷㅆ",
    "ㅍ": "ㅂ",
    "ㅎ": "ㅅㄷ",
}
_ENDINGS = frozenset("ㄴㄹㅁㅂㅅㅆ")  # finals that conjugation and compounds put on: 죄 and 죗값, 뛰다 and 뜁니다
_BY_HAND = {"왤": "왜", "옘": "염", "쵝": "최", "뭥": "뭐", "쨈": "잼", "쉿": "쉬", "쉣": "쉬"}


@cache
def nearest_known(syllable: str) -> str:
    """The known syllable that sounds most like `syllable`."""
    if syllable in _BY_HAND:
        return _BY_HAND[syllable]
    joined = (join_syllable(*jamo) for jamo in _alike(*split_syllable(syllable)))
    return next((known for known in joined if known in _KNOWN_SET), syllable)


def _alike(initial: str, vowel: str, final: str) -> Iterator[tuple[str, str, str]]:
    initials = (initial, *_NEAR_INITIALS.get(initial, ""))
    same, like = (vowel, *_SAME_SOUNDING.get(vowel, "")), (*_LIKE_SOUNDING.get(vowel, ""),)
    finals = (final, *_NEAR_FINALS.get(final, ""))
    yield from product((initial,), same, finals)
    if final in _ENDINGS:
        yield initial, vowel, ""
    yield from product(initials, (*same, *like), finals)
    yield from product(initials, (*same, *like), ("",))


# Spellings of curses whose syllables few encoders know: without this they all read as <unk>.
RARE_SPELLINGS = str.maketrans(
    dict(
        zip(
            "븅븽붱뱡뷩볭뼝죳졷좃쫒썅썌뒈싀쒸씪싄쓉섺쉥쉨샊끠뀽꺠뇬뉸녈췬칀츙",
            "병병병병병병병좆좆좆좆쌍쌔뒤시씨씨신십섹섹쉑새끼끼깨년년년친친충",
            strict=True,
        )
    )
    | {"ㅄ": "ㅂㅅ"}
)
