<?php

/**
 * Rhymix 애드온: 글과 댓글을 저장하기 전에 kobert-classifier로 판정합니다.
 *
 * 이 폴더를 addons/kobert에 복사하고 관리자 화면에서 켭니다. 서비스가 응답하지 않으면 글을 막지 않습니다.
 */
if (!defined('RX_VERSION') || $called_position !== 'before_module_init')
{
	return;
}

require_once __DIR__ . '/kobert.class.php';

$kobert = new KobertModeration(
	$addon_info->kobert_url ?? '',
	$addon_info->kobert_api_key ?? '',
	$addon_info->kobert_policy ?? ''
);
$judge = function ($obj) use ($kobert) {
	$text = trim(strip_tags(($obj->title ?? '') . "\n" . html_entity_decode($obj->content ?? '')));
	if ($kobert->isClean($text))
	{
		return;
	}
	// 어떤 단어였는지는 쓴 사람에게 알리지 않습니다.
	return new BaseObject(-1, '운영 규칙에 맞지 않는 표현이 있어 등록할 수 없습니다.');
};
$controller = ModuleController::getInstance();
foreach (['document.insertDocument', 'document.updateDocument', 'comment.insertComment', 'comment.updateComment'] as $event)
{
	$controller->addTriggerFunction($event, 'before', $judge);
}
