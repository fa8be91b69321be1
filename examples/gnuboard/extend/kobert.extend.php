<?php

/**
 * 그누보드5: 글과 댓글을 저장하기 전에 kobert-classifier로 판정합니다.
 *
 * 이 파일과 rhymix/addons/kobert/kobert.class.php를 extend 폴더에 복사하고 아래 세 값을 고칩니다.
 */
if (!defined('_GNUBOARD_'))
{
	exit;
}

require_once __DIR__ . '/kobert.class.php';

define('KOBERT_URL', 'http://127.0.0.1:8000');
define('KOBERT_API_KEY', '');
define('KOBERT_POLICY', '');

function kobert_judge($text)
{
	$kobert = new KobertModeration(KOBERT_URL, KOBERT_API_KEY, KOBERT_POLICY);
	if (!$kobert->isClean(trim(strip_tags(html_entity_decode(stripslashes($text))))))
	{
		// 어떤 단어였는지는 쓴 사람에게 알리지 않습니다.
		alert('운영 규칙에 맞지 않는 표현이 있어 등록할 수 없습니다.');
	}
}

function kobert_judge_post()
{
	kobert_judge(($_POST['wr_subject'] ?? '') . "\n" . ($_POST['wr_content'] ?? ''));
}

add_event('write_update_before', 'kobert_judge_post');

// 댓글에는 저장 전 이벤트가 없으므로, 댓글을 저장하는 페이지가 이 파일을 읽을 때 판정합니다.
if (basename($_SERVER['SCRIPT_NAME'] ?? '') === 'write_comment_update.php')
{
	kobert_judge($_POST['wr_content'] ?? '');
}
