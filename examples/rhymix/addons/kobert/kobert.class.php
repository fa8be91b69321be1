<?php

/**
 * kobert-classifier에 글을 보내 판정을 받습니다. PHP 7.4 이상이면 되고 확장 모듈은 필요 없습니다.
 */
class KobertModeration
{
	/** 글 쓰는 사람이 기다리는 가장 긴 시간(초). */
	const TIMEOUT_S = 3;

	private $url;
	private $api_key;
	private $policy;

	public function __construct(string $url, string $api_key = '', string $policy = '')
	{
		$this->url = rtrim($url ?: 'http://127.0.0.1:8000', '/');
		$this->api_key = $api_key;
		$this->policy = $policy;
	}

	/** 등록해도 되는 글인지. 판정을 받지 못하면 된다고 봅니다: 서비스가 멈춰도 게시판은 돌아가야 합니다. */
	public function isClean(string $text): bool
	{
		if ($text === '')
		{
			return true;
		}
		$body = ['text' => $text] + ($this->policy === '' ? [] : ['policy' => $this->policy]);
		$headers = ['Content-Type: application/json'];
		if ($this->api_key !== '')
		{
			$headers[] = 'Authorization: Bearer ' . $this->api_key;
		}
		$answer = @file_get_contents($this->url . '/predict', false, stream_context_create(['http' => [
			'method' => 'POST',
			'header' => $headers,
			'content' => json_encode($body, JSON_INVALID_UTF8_SUBSTITUTE),
			'timeout' => self::TIMEOUT_S,
			'ignore_errors' => true,
		]]));
		$verdict = json_decode((string) $answer, true);
		if (!isset($verdict['classification']))
		{
			error_log('kobert: ' . ($verdict['error']['message'] ?? 'no answer from ' . $this->url));
			return true;
		}
		return $verdict['classification'] === 'clean';
	}
}
