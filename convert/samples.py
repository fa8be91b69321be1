"""Korean texts on which a conversion tries a model: comments, reviews, chat, forms; and odd ones.

Int8 is compared with float on `SAMPLE_TEXTS`, and the scales of activations are chosen on `CALIBRATION_TEXTS`.
"""

SAMPLE_TEXTS = (
    "안녕하세요.",
    "오늘 방송 정말 재미있게 잘 봤습니다.",
    "배송이 하루 만에 왔어요, 포장도 꼼꼼하고 마음에 듭니다!",
    "환불은 언제쯤 되나요? 벌써 열흘째 기다리고 있어요.",
    "와 진짜 실력 미쳤다 ㅋㅋㅋㅋㅋ",
    "이걸 돈 주고 사는 사람이 있다니 이해가 안 되네",
    "기사 제목만 보고 댓글 다는 사람들 반성하세요",
    "말 좀 가려서 하지, 어디서 그런 말버릇을 배웠냐",
    "너 같은 놈은 게임 접어라 제발",
    "ㅠㅠ 너무 슬퍼요… 주인공 어떡해",
    "감독이 누군지 궁금해지는 영화. 두 번 봤다.",
    "연기는 좋았는데 결말이 너무 허무해서 별점 두 개",
    "요즘 애들은 다 그렇다느니 하는 말은 그만합시다",
    "나이 들었으면 집에나 있지 왜 나와서 난리야",
    "정치 얘기는 다른 데 가서 하세요",
    "1등이다!!! 이 댓글 성지 됩니다",
    "링크 눌러보세요 http://example.com 하루 30만원 보장",
    "문의는 카톡 아이디 abc123 으로 주세요",
    "이 가격에 이 품질이면 2개 사도 아깝지 않죠. 추천합니다.",
    "색상이 사진이랑 달라요. 반품 신청했습니다.",
    "다음 시즌은 언제 나오나요?? 현기증 난단 말이에요",
    "팀장님, 회의 자료 수정해서 다시 올렸습니다. 확인 부탁드려요.",
    "진짜 어이가 없어서 말이 안 나온다",
    "저 선수는 왜 국가대표인지 모르겠음",
    "고양이가 너무 귀여워서 하루 종일 돌려봤어요",
    "음식은 맛있는데 직원이 불친절해서 다시는 안 갑니다",
    "비가 와서 그런지 길이 많이 막히네요",
    "그래서 결론이 뭔데? 세 줄 요약 좀",
    "와이파이가 자꾸 끊겨요. 기사님 방문 예약하고 싶습니다.",
    "ㅇㅈ 이건 인정이지",
    "멍청한 소리 좀 작작 해라",
    "가사가 제 이야기 같아서 듣다가 울었어요. 고맙습니다.",
    "광고가 너무 많아서 앱 지웠습니다",
    "축하해요!! 두 분 오래오래 행복하세요 ^^",
    "그 지역 사람들은 원래 다 그래",
    "오타가 있네요: '되요'가 아니라 '돼요'입니다.",
    "새벽 3시까지 공부하다가 이제 잡니다. 내일 시험 잘 봤으면…",
    "아 몰라 그냥 다 귀찮아",
    "서비스 종료라니, 10년 동안 즐거웠습니다.",
    "못생긴 게 어디서 설치고 있어",
)

_TOGETHER = 5
# What makes activations that plain sentences do not make: long texts, single words, signs, other scripts, repetition.
_ODD_TEXTS = (
    "네",
    "?",
    "ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ",
    "ㅠㅠㅠㅠㅠㅠㅠㅠ",
    "!!!!!!!!!!!!!!!!",
    "😀😂👍🔥🔥🔥",
    "2026년 11월 26일 14:30, 02-123-4567, 39,900원",
    "Please check the attached file before the meeting tomorrow.",
    "LOL this is so funny, can't wait for the next one",
    "https://www.example.com/path/to/page?id=12345&lang=ko",
    "오 늘 저 녁 뭐 먹 지",
    "아아아아아아아아아아아아아악",
    "東京 여행 3박 4일 일정 공유합니다",
    "<b>공지</b> | 필독 * * * #이벤트 @모두",
    "가나다라마바사아자차카타파하",
    "ㄱㅅ ㄴㄴ ㅇㅋ ㅂㅂ",
)
CALIBRATION_TEXTS = (
    *SAMPLE_TEXTS,
    *(" ".join(SAMPLE_TEXTS[start : start + _TOGETHER]) for start in range(0, len(SAMPLE_TEXTS), _TOGETHER)),
    " ".join(SAMPLE_TEXTS),
    *_ODD_TEXTS,
)
